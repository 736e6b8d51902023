import { describe, test } from 'vitest'
import { fileSink } from '../../src/connectors/files/index.ts'
import { type JobBench, type SinkSystem, sinkConformance } from '../../src/testing/index.ts'

const files = ({ disk }: JobBench): SinkSystem => {
  const parts = (pattern: RegExp) => {
    const directory = ['out-moved', 'out'].find((name) => disk.names('').includes(name))
    return directory === undefined ? [] : disk.files(directory).filter(({ path }) => pattern.test(path))
  }
  const readable = /\/part-[^/]*$/
  return {
    sink: () => fileSink<string>({ dir: 'out', format: 'text', roll: { size: 100 } }),
    read: () => parts(readable).flatMap((file) => new TextDecoder().decode(file.bytes()).split('\n').slice(0, -1)),
    staged: () => parts(/\/\.ip-[^/]*$/).map(({ path }) => path),
    breakForGood: () => {
      // The directory is gone, and a file stands in its place: no part can be begun any more.
      disk.rename('out', 'out-moved')
      disk.put('out', 'not a directory', { durable: true })
    },
  }
}

describe('fileSink', () => {
  for (const check of sinkConformance(files)) test(check.name, check.run)
})
