/** The client of this package, held to the same list as the official ones. */
import { join } from 'node:path'
import { blanksOf } from '../cases.ts'
import type { Driver } from '../driver.ts'

export const millraceDriver: Driver = {
  name: 'millrace',
  title: 'millrace (this package)',
  folder: 'millrace',
  manifests: [],
  tools: [],
  setUp: async () => {},
  start: (place) => ({
    command: process.execPath,
    args: [join(place.source, '..', '..', '..', 'dist', 'test', 'interop', 'millrace', 'main.js')],
  }),
  blanks: {
    'host-without-port': 'millrace names the port of the endpoint in its Host (§1.2)',
    'absolute-form': 'millrace dials loopback addresses itself and needs no proxy (§1.3)',
    ...blanksOf('put-direct-', 'millrace puts to shards/lb and shards/route (§4.1)'),
    'put-producer': 'the driver of millrace shows its client alone (§10.1)',
    'put-producer-hash': 'the driver of millrace shows its client alone (§10.1)',
    'pull-deflate': 'millrace asks for lz4, zstd or nothing (§5.4)',
    ...blanksOf('consumer-', 'sources of millrace assign shards themselves, without heartbeats (§10.2)'),
    'bad-cursor': 'positions are numbers in millrace, so it sends no such cursor (§5.6)',
  },
}
