/**
 * `node:http` without what an import of it brings: that reads every export, and three of them load Node's own fetch, which takes
 * 11 MB and is not used here.
 */
export const { createServer, IncomingMessage, request, ServerResponse, STATUS_CODES } =
  process.getBuiltinModule('node:http');
