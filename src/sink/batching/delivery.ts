import { asError, type Clock, isMillraceError, type Random, SinkError } from '../../core/index.ts'
import type { IoLane } from './io-pool.ts'
import type { Destination, Package } from './package.ts'
import { isDoubtful, nextAttemptMs, type RetryPolicy } from './retry-policy.ts'
import type { PackageOutcome, SendPackage, SendResult } from './send-result.ts'

export interface DeliveryParts<D extends Destination, T> {
  readonly clock: Clock
  readonly random: Random
  readonly send: SendPackage<D, T>
  readonly retry: RetryPolicy
  readonly lane: (destination: D) => IoLane
  /** Splits refused packages too, until the record is found that the refusal is about. */
  readonly isolateRefused: boolean
  readonly nextSequence: () => number
  /** Once per package, or per part of one that was split. */
  readonly settled: (pack: Package<D, T>, outcome: PackageOutcome) => void
  /** Called when an attempt did not succeed and another one follows. */
  readonly again: (pack: Package<D, T>, result: SendResult & { kind: 'again' }, waitMs: number) => void
}

/** Sends one package until its story is over, or `signal` aborts it. Rejects never. */
export const deliver = async <D extends Destination, T>(
  parts: DeliveryParts<D, T>,
  pack: Package<D, T>,
  signal: AbortSignal,
): Promise<void> => {
  const lane = parts.lane(pack.destination)
  let [attempts, doubtfulInRow, ambiguous] = [0, 0, false]
  for (;;) {
    attempts++
    const result = await attempt(parts, lane, pack, signal)
    if (result.kind === 'again') {
      ambiguous ||= result.why === 'ambiguous'
      doubtfulInRow = isDoubtful(result.why) ? doubtfulInRow + 1 : 0
      const history = { attempts, doubtfulInRow }
      const waitMs = nextAttemptMs(parts.retry, result.why, history, parts.random.float(), result.afterMs)
      if (waitMs === undefined || signal.aborted) {
        parts.settled(pack, { kind: 'failed', attempts, cause: result.cause, ambiguous })
        return
      }
      parts.again(pack, result, waitMs)
      try {
        await parts.clock.sleep(waitMs, signal)
      } catch (aborted) {
        parts.settled(pack, { kind: 'failed', attempts, cause: abandoned(aborted, result.cause), ambiguous })
        return
      }
      continue
    }
    if (result.kind === 'accepted') {
      parts.settled(pack, { kind: 'accepted', attempts })
      return
    }
    if (result.kind === 'failed') {
      parts.settled(pack, { kind: 'failed', attempts, cause: result.cause, ambiguous })
      return
    }
    const mayPass = result.kind === 'too-large' || parts.isolateRefused
    const halves = mayPass ? pack.halves(parts.nextSequence) : undefined
    if (halves === undefined) {
      parts.settled(pack, { kind: 'rejected', attempts, cause: result.cause })
      return
    }
    // One after the other: the order of the records is kept.
    for (const half of halves) await deliver(parts, half, signal)
    return
  }
}

const attempt = async <D extends Destination, T>(
  { send }: DeliveryParts<D, T>,
  lane: IoLane,
  pack: Package<D, T>,
  signal: AbortSignal,
): Promise<SendResult> => {
  let started = false
  try {
    signal.throwIfAborted()
    const result = await lane.run(() => {
      started = true
      return send(pack, signal)
    }, signal)
    lane.note(result.kind !== 'again' || result.why === 'throttled')
    return result
  } catch (thrown) {
    if (!signal.aborted) return { kind: 'failed', cause: asError(thrown) }
    const cause = abandoned(signal.reason, undefined)
    // A request that was cut off may have been carried out.
    return started ? { kind: 'again', why: 'ambiguous', cause } : { kind: 'failed', cause }
  }
}

const abandoned = (reason: unknown, cause: Error | undefined): Error => {
  if (isMillraceError(reason)) return reason
  return new SinkError('SEND_ABANDONED', {
    message: 'the sender was closed before the answer came',
    cause: cause ?? asError(reason),
  })
}
