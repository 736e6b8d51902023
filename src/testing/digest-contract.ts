import assert from 'node:assert/strict'
import type { Digest } from '../core/index.ts'
import { type ContractCheck, checksWith } from './contract.ts'

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

const sha256Of = (digest: Digest, ...parts: readonly string[]): string => {
  const hasher = digest.sha256()
  for (const part of parts) hasher.update(bytesOf(part))
  return hasher.hex()
}

const checks: Record<string, (digest: Digest) => void> = {
  'crc32 gives the check value of CRC-32, as an unsigned number': (digest) => {
    assert.equal(digest.crc32(bytesOf('123456789')), 0xcbf43926)
    assert.equal(digest.crc32(new Uint8Array(0)), 0)
  },
  'crc32 continues an earlier one': (digest) => {
    assert.equal(digest.crc32(bytesOf('6789'), digest.crc32(bytesOf('12345'))), 0xcbf43926)
    assert.equal(digest.crc32(new Uint8Array(0), 77), 77)
  },
  'sha256 gives the published values in lower-case hex': (digest) => {
    assert.equal(sha256Of(digest), 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
    assert.equal(sha256Of(digest, 'abc'), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
  },
  'sha256 does not see how the bytes were cut': (digest) => {
    assert.equal(sha256Of(digest, 'a', '', 'bc'), sha256Of(digest, 'abc'))
  },
}

/** What every `Digest` keeps. */
export const digestContract = (setup: () => Digest): ContractCheck[] => checksWith(setup, () => {}, checks)
