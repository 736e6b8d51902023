import { parsePartName } from './checkpoint-names.ts'
import type { CheckpointKind, OperatorState, PartKind } from './checkpoint-store.ts'
import { bytesOfInline } from './inline-bytes.ts'

type Fields = Readonly<Record<string, unknown>>
type Check = (value: unknown) => string | undefined

const partKinds = ['splits', 'enumerator', 'keyed', 'writer', 'committables'] as const satisfies readonly PartKind[]
const operatorKinds = ['source', 'keyed', 'sink'] as const satisfies readonly OperatorState['kind'][]
const checkpointKinds = ['initial', 'periodic', 'final', 'savepoint'] as const satisfies readonly CheckpointKind[]

const show = (value: unknown): string => {
  const text = typeof value === 'object' && value !== null ? (Array.isArray(value) ? 'a list' : 'an object') : undefined
  return text ?? (typeof value === 'string' ? JSON.stringify(value.slice(0, 40)) : String(value))
}

const must = (what: string, holds: (value: unknown) => boolean): Check => {
  return (value) => (holds(value) ? undefined : `must be ${what}, is ${value === undefined ? 'missing' : show(value)}`)
}

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const integerFrom = (min: number): Check =>
  must(`an integer from ${min} to 2^53-1`, (value) => Number.isSafeInteger(value) && Number(value) >= min)
const text = must('a non-empty text', (value) => typeof value === 'string' && value !== '')
const oneOf = (values: readonly string[]): Check =>
  must(`one of ${values.join(', ')}`, (value) => typeof value === 'string' && values.includes(value))
const exactly = (expected: string | null): Check => must(JSON.stringify(expected), (value) => value === expected)

const manifestFields: Record<string, Check> = {
  magic: exactly('millrace-checkpoint'),
  formatVersion: integerFrom(1),
  readerVersion: integerFrom(1),
  job: text,
  checkpointId: integerFrom(1),
  generation: integerFrom(1),
  kind: oneOf(checkpointKinds),
  completedAt: must('a time such as 2026-01-31T23:59:59.000Z', (value) =>
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(String(value)),
  ),
  maxParallelism: integerFrom(1),
  operators: must('a list', Array.isArray),
  channelState: exactly(null),
}

const operatorFields: Record<string, Check> = {
  uid: text,
  kind: oneOf(operatorKinds),
  parallelism: integerFrom(1),
  parts: must('a list', Array.isArray),
}

const partFields: Record<string, Check> = {
  kind: oneOf(partKinds),
  serializer: text,
  version: integerFrom(1),
  bytes: integerFrom(0),
  sha256: must('64 hex digits', (value) => typeof value === 'string' && /^[0-9a-f]{64}$/.test(value)),
}

/** Fields nobody knows are left alone: a newer version that still lets this one read may have added them. */
const fieldProblems = (fields: Record<string, Check>, value: Fields, path: string): string[] =>
  Object.entries(fields).flatMap(([name, check]) => {
    const problem = check(value[name])
    return problem === undefined ? [] : [`${path}${name} ${problem}`]
  })

/** Everything about a decoded manifest that this version cannot work with, each with its place. */
export const manifestProblems = (value: unknown): string[] => {
  if (!isFields(value)) return ['the manifest must be an object']
  const problems = fieldProblems(manifestFields, value, '')
  const operators = Array.isArray(value['operators']) ? value['operators'] : []
  const uids = new Set<unknown>()
  for (const [index, operator] of operators.entries()) {
    const path = `operators[${index}].`
    if (!isFields(operator)) {
      problems.push(`operators[${index}] must be an object`)
      continue
    }
    problems.push(...fieldProblems(operatorFields, operator, path))
    if (uids.has(operator['uid'])) problems.push(`${path}uid ${show(operator['uid'])} occurs twice`)
    uids.add(operator['uid'])
    const parts = Array.isArray(operator['parts']) ? operator['parts'] : []
    for (const [at, part] of parts.entries()) {
      problems.push(...partProblems(part, operator['parallelism'], value['checkpointId'], `${path}parts[${at}]`))
    }
  }
  return problems
}

const partProblems = (part: unknown, parallelism: unknown, id: unknown, path: string): string[] => {
  if (!isFields(part)) return [`${path} must be an object`]
  const problems = fieldProblems(partFields, part, `${path}.`)
  const subtask = part['subtask']
  if (subtask !== undefined) {
    const problem = integerFrom(0)(subtask)
    if (problem !== undefined) problems.push(`${path}.subtask ${problem}`)
    else if (Number(subtask) >= Number(parallelism)) problems.push(`${path}.subtask must be below the parallelism`)
  }
  return [...problems, ...placeProblems(part, id, path)]
}

/** Where the bytes are: in one place, and never outside the checkpoint's own directory. */
const placeProblems = (part: Fields, id: unknown, path: string): string[] => {
  const places = ['file', 'text', 'base64'].filter((name) => part[name] !== undefined)
  const place = places[0]
  if (places.length !== 1 || place === undefined) {
    return [`${path} must have one of file, text and base64, has ${places.length === 0 ? 'none' : places.join(', ')}`]
  }
  const value = part[place]
  if (typeof value !== 'string') return [`${path}.${place} must be a text`]
  if (place === 'file') {
    return parsePartName(value) === id ? [] : [`${path}.file must be a part file of this checkpoint, is ${show(value)}`]
  }
  try {
    const bytes = bytesOfInline({ [place]: value })?.length
    return bytes === part['bytes'] ? [] : [`${path}.bytes is ${show(part['bytes'])}, but ${bytes} bytes stand there`]
  } catch {
    return [`${path}.base64 is not valid base64`]
  }
}
