import { createHash, createHmac } from 'node:crypto'
import { crc32 } from 'node:zlib'
import type { Digest } from '../core/index.ts'

export const nodeDigest: Digest = {
  crc32: (bytes, previous = 0) => crc32(bytes, previous),
  sha256() {
    const hash = createHash('sha256')
    return {
      update(bytes) {
        hash.update(bytes)
      },
      hex: () => hash.digest('hex'),
    }
  },
  md5Hex: (data) => createHash('md5').update(data).digest('hex'),
  hmac: (algorithm, key, data) => createHmac(algorithm, key).update(data).digest(),
}
