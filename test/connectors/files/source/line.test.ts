import { describe, expect, it } from 'vitest'
import { Line } from '../../../../src/connectors/files/index.ts'
import { estimateBytes, isParsable, parseInput, rawRecord } from '../../../../src/core/index.ts'

describe('a line', () => {
  const block = new TextEncoder().encode('{"a":1}\n\u00e9t\u00e9\n')

  it('looks at its block, and decodes once', () => {
    const line = new Line(block, 8, 13, 'a.log', 8)
    expect(line.length).toBe(5)
    expect(line.bytes.buffer).toBe(block.buffer)
    expect(line.text).toBe('\u00e9t\u00e9')
    expect(`${line}`).toBe('\u00e9t\u00e9')
    expect(JSON.stringify(line)).toBe('{"text":"\u00e9t\u00e9","path":"a.log","offset":8}')
  })

  it('gives the JSON it holds to a schema', () => {
    const line = new Line(block, 0, 7, 'a.log', 0)
    expect(isParsable(line)).toBe(true)
    expect(line[parseInput]()).toEqual({ a: 1 })
    expect(() => Line.of('not json')[parseInput]()).toThrow(SyntaxError)
  })

  it('is a dead letter as the bytes it was', () => {
    expect(rawRecord(Line.of('plain'))).toEqual({ raw: 'plain', encoding: 'utf8' })
    expect(rawRecord(Line.of(Uint8Array.of(0xff)))).toEqual({ raw: '/w==', encoding: 'base64' })
    expect(estimateBytes(Line.of('12345'))).toBe(48 + 5)
  })
})
