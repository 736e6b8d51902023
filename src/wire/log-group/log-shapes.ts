import { type LogScan, rangesPerContent } from './log-scan.ts'
import { fieldsClass, type PlainFields, setFields } from './plain-fields.ts'
import type { TextReader } from './text.ts'

/** Shapes remembered: as many kinds of logs may alternate without being learnt again. */
const shapesMax = 8

/** One kind of log: the names of its fields, in order. */
interface Shape {
  readonly names: readonly string[]
  /** Bytes of each name. */
  readonly lengths: Int32Array
  /** The bytes of the names, four at a time: see `wordsOf`. */
  readonly words: Int32Array
  /** The values of the log that is read, for a moment. */
  readonly values: string[]
  /** Shared until the shape is seen again: a class costs more than a log, and names may be different in each. */
  Fields: new () => PlainFields
  seenAgain: boolean
}

const SharedFields = fieldsClass()

/**
 * Makes objects of logs. Logs mostly have the names of the log before: names are compared as bytes with those known, and
 * decoded only when they are new.
 */
export class LogShapes {
  /** The one used last comes first. */
  readonly #shapes: Shape[] = []

  /** The fields of the log that was scanned, in an object that inherits nothing; of repeated names the last counts. */
  fieldsOf(scan: LogScan, text: TextReader, start: number, end: number): PlainFields {
    const shape = this.#shapeOf(scan, text)
    const { values } = shape
    const { count, ranges } = scan
    // One text for the log and a piece of it for each value: a call into the host for each costs five times as much.
    const characters = text.latin1(start, end)
    for (let index = 0; index < count; index++) {
      const from = ranges[index * rangesPerContent + 2] as number
      const to = ranges[index * rangesPerContent + 3] as number
      values[index] = text.isAscii(from, to) ? characters.substring(from - start, to - start) : text.utf8(from, to)
    }
    const fields = new shape.Fields()
    setFields(fields, shape.names, values)
    return fields
  }

  #shapeOf({ count, ranges }: LogScan, text: TextReader): Shape {
    const shapes = this.#shapes
    for (let index = 0; index < shapes.length; index++) {
      const shape = shapes[index] as Shape
      if (!hasShape(shape, text, ranges, count)) continue
      if (!shape.seenAgain) {
        shape.seenAgain = true
        shape.Fields = fieldsClass()
      }
      if (index > 0) {
        shapes.splice(index, 1)
        shapes.unshift(shape)
      }
      return shape
    }
    const shape = newShape(text, ranges, count)
    shapes.unshift(shape)
    if (shapes.length > shapesMax) shapes.pop()
    return shape
  }
}

const hasShape = ({ lengths, words }: Shape, { data }: TextReader, ranges: Int32Array, count: number): boolean => {
  if (lengths.length !== count) return false
  let at = 0
  for (let index = 0; index < count; index++) {
    const start = ranges[index * rangesPerContent] as number
    const length = (ranges[index * rangesPerContent + 1] as number) - start
    if (length !== lengths[index]) return false
    if (length < 4) {
      if (shortWord(data, start, length) !== words[at++]) return false
      continue
    }
    const last = start + length - 4
    for (let from = start; from < last; from += 4) if (data.getInt32(from, true) !== words[at++]) return false
    if (data.getInt32(last, true) !== words[at++]) return false
  }
  return true
}

/** A name of less than four bytes. */
const shortWord = (data: DataView, start: number, length: number): number => {
  let word = 0
  for (let index = 0; index < length; index++) word |= data.getUint8(start + index) << (index * 8)
  return word
}

/** A name four bytes at a time; the last four may overlap those before them. */
const wordsOf = (data: DataView, start: number, length: number): number[] => {
  if (length < 4) return [shortWord(data, start, length)]
  const words: number[] = []
  for (let offset = 0; offset < length - 4; offset += 4) words.push(data.getInt32(start + offset, true))
  words.push(data.getInt32(start + length - 4, true))
  return words
}

const newShape = (text: TextReader, ranges: Int32Array, count: number): Shape => {
  const names: string[] = []
  const words: number[] = []
  const lengths = new Int32Array(count)
  for (let index = 0; index < count; index++) {
    const start = ranges[index * rangesPerContent] as number
    const end = ranges[index * rangesPerContent + 1] as number
    names.push(internalised(text.utf8(start, end)))
    for (const word of wordsOf(text.data, start, end - start)) words.push(word)
    lengths[index] = end - start
  }
  const values = names.map(() => '')
  return { names, lengths, words: Int32Array.from(words), values, Fields: SharedFields, seenAgain: false }
}

/** The same text as V8 keeps it for property names: setting a property then needs no look-up of the text. */
const internalised = (text: string): string => Object.keys({ [text]: 0 })[0] as string
