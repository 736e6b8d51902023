import { Observable } from 'rxjs'
import type { Clock, MetricSample } from '../core/index.ts'

/** All metrics at one moment. */
export interface MetricsFrame {
  /** Wall time in milliseconds since 1970. */
  readonly atMs: number
  readonly samples: readonly MetricSample[]
  /** Sum of a metric over its labels; undefined when nobody knows it. */
  sum(name: MetricSample['name'], step?: string): number | undefined
}

const periodMs = 1000

/** A frame now, one a second while somebody listens, a last one when the job ends, and then completion. */
export const metricFrames = (
  clock: Clock,
  read: () => MetricsFrame,
  done: Promise<unknown>,
): Observable<MetricsFrame> =>
  new Observable((subscriber) => {
    let cancel = (): void => {}
    const tick = (): void => {
      subscriber.next(read())
      if (!subscriber.closed) cancel = clock.timer(periodMs, tick)
    }
    tick()
    const end = (): void => {
      cancel()
      if (subscriber.closed) return
      subscriber.next(read())
      subscriber.complete()
    }
    done.then(end, end)
    return () => cancel()
  })
