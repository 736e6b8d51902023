/** The driver of the official Java SDK, its consumer library and its producer. */
import { delimiter, join } from 'node:path'
import { blanksOf } from '../cases.ts'
import type { Driver } from '../driver.ts'

export const javaDriver: Driver = {
  name: 'java',
  title: 'aliyun-log 0.6.151, loghub-client-lib 0.6.41, aliyun-log-producer 0.3.24',
  folder: 'java',
  manifests: ['pom.xml', 'src/'],
  tools: [
    { command: 'java', args: ['-version'], install: 'a JDK, 11 or newer' },
    { command: 'mvn', args: ['--version'], install: 'Maven 3.8 or newer' },
  ],
  setUp: (place) =>
    place.run({
      command: 'mvn',
      args: [
        '-q',
        '-B',
        '-f',
        join(place.source, 'pom.xml'),
        `-Dhome=${place.home}`,
        'compile',
        'dependency:copy-dependencies',
      ],
    }),
  start: (place) => ({
    command: 'java',
    args: ['-cp', [join(place.home, 'classes'), join(place.home, 'lib', '*')].join(delimiter), 'interop.Main'],
  }),
  blanks: {
    'host-with-port': 'Java never has a port in its Host (§1.2)',
    ...blanksOf('put-direct-', 'Java puts to shards/lb and shards/route (§4.1)'),
    'pull-deflate': 'Java decodes lz4 and zstd (§3.3)',
    'pull-identity': 'Java asks for lz4 instead (§5.4)',
    'delete-shard': 'a call of Python only (§6.5)',
  },
}
