/** The drivers of the two official Node SDKs. They share one installation. */
import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { blanksOf } from '../cases.ts'
import type { Driver, Place } from '../driver.ts'

const manifests = ['package.json', 'package-lock.json']
const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm'
const tools = [{ command: npm, args: ['--version'], install: 'npm' }]

const setUp = async (place: Place): Promise<void> => {
  for (const file of manifests) await copyFile(join(place.source, file), join(place.home, file))
  await place.run({
    command: npm,
    args: ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'],
    cwd: place.home,
  })
}

const start = (program: string) => (place: Place) => ({
  command: process.execPath,
  args: [join(place.source, program)],
  env: { SLS_HOME: place.home },
})

const noCallOfNode = '@alicloud/log has no such call (§11)'

export const nodeDriver: Driver = {
  name: 'node',
  title: '@alicloud/log 1.2.6',
  folder: 'node',
  manifests,
  tools,
  setUp,
  start: start('log.mjs'),
  userAgent: 'aliyun-log-nodejs-sdk',
  blanks: {
    'auth-v4': '@alicloud/log signs by version 1 only (§2.3)',
    'auth-v4-sts': '@alicloud/log signs by version 1 only (§2.3)',
    'host-without-port': 'its Host has the port of the endpoint (§1.2)',
    'absolute-form': 'it has no proxy setting (§1.3)',
    'update-project': noCallOfNode,
    'list-projects': noCallOfNode,
    ...blanksOf('put-', 'it puts to shards/lb, protobuf, not compressed (§3.3, §4.1)'),
    'put-lb-identity': undefined,
    'put-tags': undefined,
    'put-bytes': 'its schema has string values (§3.1)',
    'put-producer': 'no producer library for Node (§10.1)',
    'put-producer-hash': 'no producer library for Node (§10.1)',
    ...blanksOf('cursor', noCallOfNode),
    'previous-cursor-time': noCallOfNode,
    'end-cursor': noCallOfNode,
    ...blanksOf('pull-', 'it cannot pull (§11)'),
    'list-shards': noCallOfNode,
    ...blanksOf('split', noCallOfNode),
    merge: noCallOfNode,
    ...blanksOf('read-only', noCallOfNode),
    'delete-shard': noCallOfNode,
    ...blanksOf('group-', noCallOfNode),
    ...blanksOf('heartbeat', noCallOfNode),
    ...blanksOf('checkpoint-', noCallOfNode),
    ...blanksOf('consumer-', 'no consumer library for Node (§10.2)'),
    'unknown-shard': noCallOfNode,
    'unknown-group': noCallOfNode,
    'bad-cursor': noCallOfNode,
  },
}

export const nodeSls20201230Driver: Driver = {
  name: 'node-sls20201230',
  title: '@alicloud/sls20201230 5.9.0',
  folder: 'node',
  manifests,
  tools,
  setUp,
  start: start('sls20201230.mjs'),
  blanks: {
    'host-without-port': 'its Host has the port of the endpoint (§1.2)',
    'absolute-form': 'it ignores its proxy setting (§1.3)',
    ...blanksOf('put-direct-', 'it puts to shards/lb (§4.1)'),
    'put-lb-zstd': 'it compresses with lz4 or zlib (§4.1)',
    ...blanksOf('put-route-', 'it puts to shards/lb (§4.1)'),
    ...blanksOf('put-json-', 'it puts protobuf (§4.7)'),
    ...blanksOf('put-batch-', 'batches are of the Java SDK (§4.6)'),
    'put-producer': 'no producer library for Node (§10.1)',
    'put-producer-hash': 'no producer library for Node (§10.1)',
    'previous-cursor-time': 'only Go, Java and Python have such a call (§5.1)',
    'pull-zstd': 'it decodes lz4 and zlib (§4.1)',
    'delete-shard': 'a call of Python only (§6.5)',
    ...blanksOf('consumer-', 'no consumer library for Node (§10.2)'),
  },
}
