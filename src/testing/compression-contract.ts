import assert from 'node:assert/strict'
import { crc32, deflateSync, gunzipSync, inflateSync } from 'node:zlib'
import type { BlockCodecName, Compression } from '../core/index.ts'
import { type ContractCheck, checksWith } from './contract.ts'

const pieceBytesMax = 64 * 1024

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

const concat = (...parts: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts))

/** Bytes that neither repeat at once nor fail to compress. */
const sample = (length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, index) => 97 + (((index * index) >>> 5) % 23))

/** Pushes the pieces one after another and gives what came out; `finish` is called at the end. */
const inflate = async (compression: Compression, pieces: Iterable<Uint8Array>): Promise<Uint8Array> => {
  const inflater = compression.gunzip()
  const out: Uint8Array[] = []
  try {
    for (const piece of pieces) {
      for await (const inflated of inflater.push(piece)) {
        assert.ok(inflated.length > 0 && inflated.length <= pieceBytesMax)
        out.push(inflated.slice())
      }
    }
    inflater.finish()
    return concat(...out)
  } finally {
    inflater.close()
  }
}

function* cutEvery(bytes: Uint8Array, step: number): Generator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += step) yield bytes.subarray(start, start + step)
}

const same = (actual: Uint8Array, expected: Uint8Array): void =>
  assert.ok(
    Buffer.from(actual).equals(Buffer.from(expected)),
    `${actual.length} bytes, not the ${expected.length} expected`,
  )

const codecNames: readonly BlockCodecName[] = ['lz4', 'zstd', 'deflate']

/** A zstd frame of one raw block whose header does not say how much it holds. */
const unsizedFrame = (content: Uint8Array): Uint8Array => {
  const header = (content.length << 3) | 1
  return concat(
    Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0, 0x58, header & 255, (header >>> 8) & 255, header >>> 16),
    content,
  )
}

const checks: Record<string, (compression: Compression) => Promise<void>> = {
  'what gzip wrote, gunzip gives back': async (compression) => {
    for (const length of [0, 1, 100, pieceBytesMax, pieceBytesMax + 1, 300_000]) {
      same(await inflate(compression, [compression.gzip(sample(length))]), sample(length))
    }
  },
  'gzip writes what other tools read': async (compression) => {
    same(gunzipSync(compression.gzip(sample(10_000))), sample(10_000))
  },
  'the same bytes give the same member': async (compression) => {
    same(compression.gzip(sample(5_000)), compression.gzip(sample(5_000)))
  },
  'members one after another form a valid file': async (compression) => {
    const parts = [sample(3_000), new Uint8Array(0), sample(70_000), bytesOf('end')]
    const file = concat(...parts.map((part) => compression.gzip(part)))
    same(gunzipSync(file), concat(...parts))
    for (const step of [1_000, 8_191, file.length]) {
      same(await inflate(compression, cutEvery(file, step)), concat(...parts))
    }
  },
  'a stream may be cut anywhere': async (compression) => {
    const expected = concat(sample(300), sample(40))
    const file = concat(compression.gzip(sample(300)), compression.gzip(sample(40)))
    for (const step of [1, 2, 7, 18]) same(await inflate(compression, cutEvery(file, step)), expected)
    for (let at = 0; at <= file.length; at++) {
      same(await inflate(compression, [file.subarray(0, at), file.subarray(at)]), expected)
    }
  },
  'headers with a name, a comment, extra bytes and a checksum are understood': async (compression) => {
    const member = compression.gzip(sample(50))
    const header = Uint8Array.of(0x1f, 0x8b, 8, 2 + 4 + 8 + 16, 0, 0, 0, 0, 0, 3, 3, 0, 9, 9, 9, 110, 0, 99, 0)
    const checksum = crc32(header) & 0xffff
    const file = concat(header, Uint8Array.of(checksum & 0xff, checksum >>> 8), member.subarray(10))
    same(await inflate(compression, cutEvery(file, 4)), sample(50))
    const changed = concat(header, Uint8Array.of(checksum & 0xff, (checksum >>> 8) ^ 1), member.subarray(10))
    await assert.rejects(inflate(compression, [changed]))
  },
  'zero bytes may follow the last member': async (compression) => {
    const file = concat(compression.gzip(sample(50)), new Uint8Array(512))
    same(await inflate(compression, cutEvery(file, 100)), sample(50))
  },
  'finish throws when the stream stops before its end': async (compression) => {
    const file = concat(compression.gzip(sample(500)), compression.gzip(sample(20)))
    const first = compression.gzip(sample(500)).length
    for (let length = 0; length < file.length; length++) {
      if (length === first) continue
      await assert.rejects(inflate(compression, [file.subarray(0, length)]), `cut to ${length} bytes`)
    }
  },
  'a changed byte is noticed': async (compression) => {
    const member = compression.gzip(sample(400))
    // The bytes of the header after the flags (time, level, system) are free.
    for (let at = 10; at < member.length; at++) {
      const changed = member.slice()
      changed[at] = (changed[at] ?? 0) ^ 0x10
      await assert.rejects(inflate(compression, [changed]), `byte ${at}`)
    }
  },
  'rubbish is noticed, alone and after a member': async (compression) => {
    await assert.rejects(inflate(compression, [bytesOf('not gzip at all')]))
    await assert.rejects(inflate(compression, [concat(compression.gzip(sample(9)), bytesOf('rubbish'))]))
    await assert.rejects(inflate(compression, [concat(compression.gzip(sample(9)), Uint8Array.of(0, 0, 7))]))
  },
  'a small input that inflates to much comes in small pieces': async (compression) => {
    const inflater = compression.gunzip()
    let total = 0
    for await (const piece of inflater.push(compression.gzip(new Uint8Array(8 << 20)))) {
      assert.ok(piece.length <= pieceBytesMax)
      total += piece.length
    }
    inflater.finish()
    inflater.close()
    assert.equal(total, 8 << 20)
  },
  'an inflater may be closed in the middle, and twice': async (compression) => {
    const inflater = compression.gunzip()
    for await (const piece of inflater.push(compression.gzip(new Uint8Array(1 << 20)))) {
      assert.ok(piece.length > 0)
      break
    }
    inflater.close()
    inflater.close()
  },
  'what a block codec wrote, it gives back': async (compression) => {
    for (const name of codecNames) {
      const codec = await compression.blockCodec(name)
      for (const length of [0, 1, 14, 15, 16, 300, 70_000, 1_000_000]) {
        same(codec.decompress(codec.compress(sample(length)), length), sample(length))
        same(codec.decompress(codec.compress(new Uint8Array(length)), length), new Uint8Array(length))
      }
      same(codec.decompress(codec.compress(Buffer.from('你好').subarray(3)), 3), bytesOf('好'))
    }
  },
  'block codecs write the formats of the wire': async (compression) => {
    const [lz4, zstd, deflate] = await Promise.all(codecNames.map((name) => compression.blockCodec(name)))
    same(lz4?.decompress(concat(Uint8Array.of(0x50), bytesOf('hello')), 5) ?? sample(0), bytesOf('hello'))
    same(
      lz4?.decompress(Uint8Array.of(0x1f, 97, 1, 0, 0, 0x50, 98, 98, 98, 98, 98), 25) ?? sample(0),
      bytesOf(`${'a'.repeat(20)}bbbbb`),
    )
    assert.deepEqual([...(zstd?.compress(sample(100)) ?? [])].slice(0, 4), [0x28, 0xb5, 0x2f, 0xfd])
    same(inflateSync(deflate?.compress(sample(5_000)) ?? sample(0)), sample(5_000))
    same(deflate?.decompress(deflateSync(sample(300)), 300) ?? sample(0), sample(300))
  },
  'a zstd frame need not say how much it holds': async (compression) => {
    const codec = await compression.blockCodec('zstd')
    same(codec.decompress(unsizedFrame(sample(700)), 700), sample(700))
    assert.throws(() => codec.decompress(unsizedFrame(sample(700)), 699))
    assert.throws(() => codec.decompress(unsizedFrame(sample(700)), 701))
  },
  'a block codec throws when the size is another than announced': async (compression) => {
    for (const name of codecNames) {
      const codec = await compression.blockCodec(name)
      for (const length of [0, 1, 500, 70_000]) {
        const body = codec.compress(sample(length))
        for (const announced of [length - 1, length + 1, length * 2 + 1]) {
          if (announced >= 0)
            assert.throws(() => codec.decompress(body, announced), `${name}: ${length} as ${announced}`)
        }
      }
    }
  },
  'a block codec throws for a body that is cut, and for bytes behind its end': async (compression) => {
    for (const name of codecNames) {
      const codec = await compression.blockCodec(name)
      const body = codec.compress(sample(2_000))
      for (let length = 0; length < body.length; length += 1 + (length >> 3)) {
        assert.throws(() => codec.decompress(body.subarray(0, length), 2_000), `${name} cut to ${length} bytes`)
      }
      for (const rubbish of [0, 7]) {
        assert.throws(() => codec.decompress(concat(body, Uint8Array.of(rubbish)), 2_000), `${name} and rubbish`)
      }
    }
  },
  'a block codec takes no memory for what a body cannot decode to': async (compression) => {
    for (const name of codecNames) {
      const codec = await compression.blockCodec(name)
      const before = process.memoryUsage.rss()
      assert.throws(() => codec.decompress(codec.compress(sample(100)), 2 ** 31 - 2), name)
      assert.ok(process.memoryUsage.rss() - before < 64 << 20, name)
    }
  },
  'a block codec gives bytes that stay as they are': async (compression) => {
    for (const name of codecNames) {
      const codec = await compression.blockCodec(name)
      const first = codec.decompress(codec.compress(sample(400)), 400)
      const body = codec.compress(sample(50))
      codec.decompress(codec.compress(new Uint8Array(400)), 400)
      same(first, sample(400))
      same(codec.decompress(body, 50), sample(50))
    }
  },
}

/** What every `Compression` keeps. */
export const compressionContract = (setup: () => Compression): ContractCheck[] => checksWith(setup, () => {}, checks)
