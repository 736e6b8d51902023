import type { LogGroupInit, LogInit } from '../wire/index.ts'
import { Refusal } from './refusal.ts'

const invalid = (why: string): Refusal => new Refusal(400, 'PostBodyInvalid', `the JSON body is no log group: ${why}`)

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const textOf = (value: unknown): string => (typeof value === 'string' ? value : (JSON.stringify(value) ?? ''))

const optionalText = (value: unknown): string | undefined => (value === undefined ? undefined : textOf(value))

/** A whole number that fits the field, also as text: browsers send both. */
const wholeNumber = (value: unknown, name: string, most: number): number => {
  const number = typeof value === 'string' && /^\d{1,10}$/.test(value) ? Number(value) : value
  if (typeof number !== 'number' || !Number.isInteger(number) || number < 0 || number > most)
    throw invalid(`${name} is no whole number from 0 to ${most}`)
  return number
}

const logOf = (value: unknown, nowSeconds: number): LogInit => {
  if (!isObject(value)) throw invalid('an element of __logs__ is not an object')
  const { __time__: time, __time_ns_part__: timeNs, ...fields } = value
  return {
    time: time === undefined ? nowSeconds : wholeNumber(time, '__time__', 2 ** 32 - 1),
    ...(timeNs === undefined ? {} : { timeNs: wholeNumber(timeNs, '__time_ns_part__', 999_999_999) }),
    contents: Object.entries(fields).map(([name, field]) => [name, textOf(field)] as const),
  }
}

/**
 * The log group of a put in JSON (SLS protocol paper, §4.7). Values that are no text are stored as their JSON. A log
 * without `__time__` gets the time it came.
 * @throws Refusal when the value has another shape.
 */
export const logGroupOfJson = (value: unknown, nowSeconds: number): LogGroupInit => {
  if (!isObject(value)) throw invalid('it is not an object')
  const { __topic__: topic, __source__: source, __tags__: tags, __logs__: logs } = value
  if (!Array.isArray(logs)) throw invalid('__logs__ is not a list')
  if (tags !== undefined && !isObject(tags)) throw invalid('__tags__ is not an object')
  const [topicText, sourceText] = [optionalText(topic), optionalText(source)]
  return {
    logs: logs.map((log: unknown) => logOf(log, nowSeconds)),
    ...(topicText === undefined ? {} : { topic: topicText }),
    ...(sourceText === undefined ? {} : { source: sourceText }),
    tags: Object.entries(tags ?? {}).map(([name, tag]) => [name, textOf(tag)] as const),
  }
}
