import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'vitest'
import { nodeClock, nodeCompression, nodeDigest, nodeFileSystem, nodeRandom } from '../../src/platform/index.ts'
import { clockContract } from '../../src/testing/clock-contract.ts'
import { compressionContract } from '../../src/testing/compression-contract.ts'
import type { ContractCheck } from '../../src/testing/contract.ts'
import { digestContract } from '../../src/testing/digest-contract.ts'
import { fileSystemContract } from '../../src/testing/file-system-contract.ts'
import { randomContract } from '../../src/testing/random-contract.ts'

const runAll = (checks: readonly ContractCheck[]): void => {
  for (const check of checks) test(check.name, () => check.run())
}

const temporaryDirectory = async (onOperation?: () => void) => {
  const root = await mkdtemp(join(tmpdir(), 'millrace-'))
  return {
    fs: nodeFileSystem({ onOperation }),
    root,
    dispose: () => rm(root, { recursive: true, force: true }),
  }
}

describe('the file system of Node', () => runAll(fileSystemContract(() => temporaryDirectory())))
describe('the file system of Node with a hook', () => runAll(fileSystemContract(() => temporaryDirectory(() => {}))))
describe('the clock of Node', () => runAll(clockContract(() => nodeClock)))
describe('the randomness of Node', () => runAll(randomContract(() => nodeRandom)))
describe('the digests of Node', () => runAll(digestContract(() => nodeDigest)))
describe('the compression of Node', () => runAll(compressionContract(() => nodeCompression)))
