/**
 * What is used of undici. Its index also loads fetch, WebSockets, caches and mocks, which touch Node's own copy of all that: 9 MB of
 * resident memory that nothing here uses.
 */
import api from 'undici/lib/api/index.js';
import Client from 'undici/lib/dispatcher/client.js';
import Dispatcher from 'undici/lib/dispatcher/dispatcher.js';
import Pool from 'undici/lib/dispatcher/pool.js';

// As the index does.
Object.assign(Dispatcher.prototype, api);

export { Client, Pool };
