/**
 * `node:http` without what an import of it brings: that reads every export, and three of them load Node's own fetch, which takes
 * 11 MB and is not used here.
 */
export const { createServer, request } = process.getBuiltinModule('node:http');
