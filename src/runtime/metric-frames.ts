import { Observable } from 'rxjs'
import type { Clock } from '../core/index.ts'
import type { MetricsFrame } from './job-runner.ts'

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
