/** The drivers of the official Go SDK: one program, built with the newest version and with an older one. */
import { join } from 'node:path'
import { blanksOf } from '../cases.ts'
import type { Driver, Place } from '../driver.ts'

const build = (place: Place, output: string, flags: readonly string[]) =>
  place.run({
    command: 'go',
    args: ['build', '-buildvcs=false', ...flags, '-o', join(place.home, output), '.'],
    cwd: place.source,
    env: { CGO_ENABLED: '0', GOWORK: 'off' },
  })

const setUp = async (place: Place): Promise<void> => {
  await build(place, 'go-new', [])
  await build(place, 'go-old', ['-tags=old', '-modfile=go-old.mod'])
}

const common = {
  folder: 'go',
  manifests: ['./'],
  tools: [{ command: 'go', args: ['version'], install: 'Go 1.21 or newer' }],
  setUp,
  blanks: {
    ...blanksOf('put-lb-', 'Go puts to the logstore itself and to shards/route (§4.1)'),
    'put-route-deflate': 'Go compresses with lz4 or zstd (§3.3)',
    ...blanksOf('put-json-', 'Go puts protobuf (§4.7)'),
    ...blanksOf('put-batch-', 'batches are of the Java SDK (§4.6)'),
    'pull-deflate': 'Go decodes lz4 and zstd (§3.3)',
    'pull-identity': 'Go reads no pull that is not compressed (§3.3)',
    'delete-shard': 'a call of Python only (§6.5)',
    'checkpoint-one-shard': 'Go asks for all checkpoints (§7.6)',
  },
} satisfies Partial<Driver>

export const goDriver: Driver = {
  ...common,
  name: 'go',
  title: 'aliyun-log-go-sdk v0.1.110',
  start: (place) => ({ command: join(place.home, 'go-new'), args: [] }),
}

/** Signs with the scheme SLS, wants a codec named on empty pulls, and consumes with another loop (§1.5, §2, §5.4). */
export const goOldDriver: Driver = {
  ...common,
  name: 'go-old',
  title: 'aliyun-log-go-sdk v0.1.83',
  start: (place) => ({ command: join(place.home, 'go-old'), args: [] }),
}
