import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeManifest, encodeManifest, requireJob } from '../../src/checkpoint/checkpoint-manifest.ts'
import { bytesOfInline, inlineBytes } from '../../src/checkpoint/inline-bytes.ts'
import { RestoreError } from '../../src/core/index.ts'
import { nodeDigest } from '../../src/platform/index.ts'
import { someManifest, utf8 } from './manifests.ts'

const path = 'checkpoints/g000013/ck-0000000457'
const encode = (manifest = someManifest()): Uint8Array => encodeManifest(manifest, nodeDigest)
const decode = (bytes: Uint8Array) => decodeManifest(bytes, path, nodeDigest)
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

const refusal = (bytes: Uint8Array): RestoreError => {
  try {
    decode(bytes)
  } catch (error) {
    if (error instanceof RestoreError) return error
    throw error
  }
  throw new Error('it was accepted')
}

/** The manifest with something changed in the JSON, and length and checksum put right again. */
const resealed = (edit: (json: string) => string): Uint8Array => {
  const body = edit(text(encode())).replace(/,\n {2}"crc32": "[0-9a-f]{8}"\n}\n$/, '')
  const digits = 4
  const bytes =
    utf8(body.replace(/"bytes": \d+/, `"bytes": ${'0'.repeat(digits)}`)).length + ',\n  "crc32": "00000000"\n}\n'.length
  const sized = body.replace(/"bytes": \d+/, `"bytes": ${String(bytes).padStart(digits, ' ').trim()}`)
  const crc32 = nodeDigest.crc32(utf8(sized)).toString(16).padStart(8, '0')
  return utf8(`${sized},\n  "crc32": "${crc32}"\n}\n`)
}

describe('a manifest', () => {
  test('comes back as it was written', () => {
    expect(decode(encode())).toEqual(someManifest())
  })

  test('is JSON that a person can read, with the state as text where it is text', () => {
    const json = text(encode())
    expect(JSON.parse(json)).toMatchObject({ job: 'slow-paths', bytes: encode().length })
    expect(json).toContain('\n          "text": "{\\"seen\\":[\\"a\\",\\"b\\"]}"\n')
  })

  test('is refused when it is cut at any byte', () => {
    const whole = encode()
    for (let length = 0; length < whole.length; length++) {
      expect(refusal(whole.subarray(0, length)).code).toBe('CHECKPOINT_CORRUPT')
    }
  })

  test('is refused when any byte has any bit flipped', () => {
    const whole = encode()
    for (let at = 0; at < whole.length; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const changed = whole.slice()
        changed[at] = (changed[at] ?? 0) ^ (1 << bit)
        expect(['CHECKPOINT_CORRUPT', 'CHECKPOINT_NEWER']).toContain(refusal(changed).code)
      }
    }
  })

  test('is refused with bytes after its end', () => {
    expect(refusal(utf8(`${text(encode())}\n`)).code).toBe('CHECKPOINT_CORRUPT')
  })

  test('that is damaged is refused with the file, both byte counts and the way out', () => {
    const { message } = refusal(encode().subarray(0, 1000))
    expect(message).toContain(path)
    expect(message).toContain(`the file has 1000 bytes, but says that it has ${encode().length}`)
    expect(message).toContain('put checkpoints/g000013/ck-0000000457 back from a copy')
    expect(message).toContain('allowRollback: true')
  })

  test('that needs a newer reader is refused with both versions', () => {
    const error = refusal(resealed((json) => json.replace('"readerVersion": 1', '"readerVersion": 7')))
    expect(error.code).toBe('CHECKPOINT_NEWER')
    expect(error.message).toContain('needs a reader of version 7; this program reads up to version 1\n')
  })

  test('of a newer version that this one may read keeps fields it does not know', () => {
    const newer = resealed((json) =>
      json.replace('"formatVersion": 1', '"formatVersion": 2').replace('"job"', '"host": "a",\n  "job"'),
    )
    expect(decode(newer)).toEqual({ ...someManifest({ formatVersion: 2 }), host: 'a' })
  })

  test('of something else is refused as such', () => {
    expect(refusal(utf8('{"hello": 1}')).message).toContain('does not begin as a manifest of millrace does')
    expect(refusal(new Uint8Array()).message).toContain('the file is empty')
  })

  test.each([
    ['"kind": "periodic"', '"kind": "weekly"', 'kind must be one of initial, periodic, final, savepoint, is "weekly"'],
    ['"checkpointId": 457', '"checkpointId": 9007199254740993', 'checkpointId must be an integer from 1 to 2^53-1'],
    ['"maxParallelism": 128', '"maxParallelism": -1', 'maxParallelism must be an integer from 1'],
    ['"parallelism": 2', '"parallelism": 1', 'operators[0].parts[1].subtask must be below the parallelism'],
    ['"bytes": 4,', '"bytes": 5,', 'operators[0].parts[1].bytes is 5, but 4 bytes stand there'],
    ['"uid": "access"', '"uid": "per minute / é"', 'operators[1].uid "per minute / é" occurs twice'],
    ['ck-0000000457.keyed', '../ck-0000000457.keyed', 'operators[1].parts[0].file must be a part file of this'],
    ['"file": "ck-0000000457', '"file": "ck-0000000456', 'operators[1].parts[0].file must be a part file of this'],
    ['"base64": "', '"base64": "!', 'operators[0].parts[1].base64 is not valid base64'],
    ['"text": ', '"txet": ', 'operators[0].parts[0] must have one of file, text and base64, has none'],
    ['"channelState": null', '"channelState": {}', 'channelState must be null, is an object'],
    ['"job": "slow-paths",', '', 'job must be a non-empty text, is missing'],
  ])('whose checksum is right but has %s replaced by %s is refused', (from, to, message) => {
    expect(text(encode())).toContain(from)
    const error = refusal(resealed((json) => json.replace(from, to)))
    expect(error.code).toBe('CHECKPOINT_CORRUPT')
    expect(error.message).toContain(message)
  })

  test('is not written when it is not valid', () => {
    expect(() => encode(someManifest({ job: '' }))).toThrow(/INVARIANT_BROKEN.*job must be/)
  })

  test('of another job is refused with both names', () => {
    const check = () => requireJob(someManifest(), 'fast-paths', path)
    expect(check).toThrow(expect.objectContaining({ code: 'CHECKPOINT_FOREIGN' }))
    expect(check).toThrow(/belongs to job 'slow-paths', and this is job 'fast-paths'/)
    requireJob(someManifest(), 'slow-paths', path)
  })
})

describe('bytes in a manifest', () => {
  test('stand as text when a person could read them, else in base64', () => {
    expect(inlineBytes(utf8('line 1\nzwei\t€ 😀'))).toEqual({ text: 'line 1\nzwei\t€ 😀' })
    expect(inlineBytes(Uint8Array.of(0xff))).toEqual({ base64: '/w==' })
    expect(inlineBytes(utf8('bell \u0007'))).toHaveProperty('base64')
    expect(inlineBytes(utf8('\ufeffwith a byte order mark'))).toHaveProperty('base64')
    expect(inlineBytes(utf8('turned \u202e round'))).toHaveProperty('base64')
  })

  test('come back exactly, whatever they are', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.string({ unit: 'binary', maxLength: 100 }).map(utf8),
      fc.string({ unit: 'grapheme', maxLength: 100 }).map(utf8),
    )
    fc.assert(
      fc.property(bytes, (original) => {
        const stored = JSON.parse(JSON.stringify(inlineBytes(original))) as ReturnType<typeof inlineBytes>
        expect(bytesOfInline(stored)).toEqual(original)
      }),
    )
  })
})
