import {
  integerField,
  numberField,
  type OptionFieldsOf,
  oneOfField,
  optional,
  optionProblems,
  required,
  textField,
} from '../core/index.ts'

/**
 * - `latency`: the answer waits `ms`.
 * - `error`: `status` and `errorCode` instead of doing anything.
 * - `error-after`: the same, after the request had its effect.
 * - `cut-body`: the answer's body ends after `bytes`; its headers stay.
 * - `expire-cursor`: a pull is answered with `InvalidCursor`.
 * - `split`, `merge`: the shard of the request is split, or merged with its right neighbour, before the request is served.
 */
export type FaultEffect = 'latency' | 'error' | 'error-after' | 'cut-body' | 'expire-cursor' | 'split' | 'merge'

/** A fault to make on purpose. Every condition that is given must hold. */
export interface FaultRule {
  readonly effect: FaultEffect
  /** A route by its name, such as `put` or `pull`. */
  readonly route?: string | undefined
  readonly method?: string | undefined
  readonly project?: string | undefined
  readonly logstore?: string | undefined
  readonly shard?: number | undefined
  /** How often; default always. */
  readonly times?: number | undefined
  /** Of each request that fits; default 1. */
  readonly probability?: number | undefined
  /** For `latency`; default 1000, most 600 000. */
  readonly ms?: number | undefined
  /** For the errors; default 503. */
  readonly status?: number | undefined
  /** For the errors; default `ServerBusy`. Use `ShardWriteQuotaExceed` with 403 for a quota. */
  readonly errorCode?: string | undefined
  /** For `cut-body`; default half of the body. */
  readonly bytes?: number | undefined
}

export interface FaultPlace {
  readonly route: string
  readonly method: string
  readonly project: string | undefined
  readonly logstore: string | undefined
  readonly shard: string | undefined
}

const effects: readonly FaultEffect[] = [
  'latency',
  'error',
  'error-after',
  'cut-body',
  'expire-cursor',
  'split',
  'merge',
]

const fields: OptionFieldsOf<FaultRule> = {
  effect: required(oneOfField(...effects)),
  route: optional(textField()),
  method: optional(textField()),
  project: optional(textField()),
  logstore: optional(textField()),
  shard: optional(integerField(0, 2 ** 31)),
  times: optional(integerField(1, 2 ** 31)),
  probability: optional(numberField(0, 1)),
  ms: optional(integerField(0, 600_000)),
  status: optional(integerField(400, 599)),
  errorCode: optional(textField()),
  bytes: optional(integerField(0, 2 ** 31)),
}

/** What is wrong with a rule, as sentences; none when it can be used. */
export const faultRuleProblems = (value: unknown): readonly string[] => optionProblems(fields, value)

export const isFaultRule = (value: unknown): value is FaultRule => faultRuleProblems(value).length === 0

const rulesMax = 1000

/** The faults that are to happen. Pure but for the dice it is given. */
export class FaultRules {
  readonly #rules = new Map<number, { readonly rule: FaultRule; left: number }>()
  #nextId = 1

  /** The rule's id; undefined when there are too many already. */
  add(rule: FaultRule): number | undefined {
    if (this.#rules.size >= rulesMax) return undefined
    const id = this.#nextId++
    this.#rules.set(id, { rule, left: rule.times ?? Number.POSITIVE_INFINITY })
    return id
  }

  remove(id: number): boolean {
    return this.#rules.delete(id)
  }

  clear(): void {
    this.#rules.clear()
  }

  list(): readonly (FaultRule & { readonly id: number })[] {
    return [...this.#rules].map(([id, { rule, left }]) => ({
      ...rule,
      ...(Number.isFinite(left) ? { times: left } : {}),
      id,
    }))
  }

  /** The rules that strike a request, in the order they were made; each is used once more. */
  strike(place: FaultPlace, dice: () => number): readonly FaultRule[] {
    if (this.#rules.size === 0) return []
    const struck: FaultRule[] = []
    for (const [id, entry] of this.#rules) {
      const { rule } = entry
      if (!fits(rule, place) || (rule.probability !== undefined && dice() >= rule.probability)) continue
      struck.push(rule)
      entry.left--
      if (entry.left <= 0) this.#rules.delete(id)
    }
    return struck
  }
}

const fits = (rule: FaultRule, place: FaultPlace): boolean =>
  (rule.route === undefined || rule.route === place.route) &&
  (rule.method === undefined || rule.method.toUpperCase() === place.method) &&
  (rule.project === undefined || rule.project === place.project) &&
  (rule.logstore === undefined || rule.logstore === place.logstore) &&
  (rule.shard === undefined || String(rule.shard) === place.shard)
