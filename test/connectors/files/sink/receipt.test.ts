import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { partReceiptSerializer } from '../../../../src/connectors/files/part-receipt.ts'
import { readVersioned } from '../../../../src/core/index.ts'

const golden = new Uint8Array(readFileSync(new URL('golden/file-part-v1.txt', import.meta.url)))
const receipt = {
  staged: 'level=error/.ip-3-0-7.jsonl.gz',
  final: 'level=error/part-3-0-7.jsonl.gz',
  bytes: 1234,
  records: 56,
}
const read = (text: string) =>
  readVersioned(
    partReceiptSerializer,
    { name: 'file-part', version: 1, bytes: new TextEncoder().encode(text) },
    'archive',
  )

describe('the receipt of a part in a checkpoint', () => {
  test('is written as every version 1 was (conf-S25)', () => {
    expect(new TextDecoder().decode(partReceiptSerializer.serialize(receipt))).toBe(new TextDecoder().decode(golden))
  })

  test('of version 1 can be read (conf-S25)', () => {
    expect(partReceiptSerializer.deserialize(1, golden)).toEqual(receipt)
  })

  test('never leads out of the directory of the sink', () => {
    for (const path of ['/etc/passwd', '../x', 'a/../../x', '', 'a//x', './x', 'a\0b']) {
      expect(() => read(JSON.stringify({ ...receipt, final: path }))).toThrow(
        'final is not a path inside the directory',
      )
      expect(() => read(JSON.stringify({ ...receipt, staged: path }))).toThrow('staged is not a path inside')
    }
    expect(() => read(JSON.stringify({ ...receipt, final: 'part-1' }))).toThrow(
      'staged and final are in two directories',
    )
  })

  test('that is damaged is refused with the reason', () => {
    expect(() => read('[]')).toThrow('CHECKPOINT_CORRUPT')
    expect(() => read('null')).toThrow('a receipt is an object')
    expect(() => read(JSON.stringify({ ...receipt, bytes: -1 }))).toThrow('bytes is not a count: -1')
    expect(() => read(JSON.stringify({ ...receipt, records: '3' }))).toThrow('records is not a count: "3"')
  })
})
