import type { Cancel, Clock } from '../core/index.ts'

/** `Clock.sleep` on top of a virtual `timer`: rejects as soon as the signal aborts, and leaves no listener behind. */
export const abortableSleep = (timer: Clock['timer'], ms: number, signal?: AbortSignal): Promise<void> => {
  if (signal === undefined) return new Promise((resolve) => timer(ms, resolve))
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason)
    let cancel: Cancel = () => {}
    const onAbort = (): void => {
      cancel()
      reject(signal.reason)
    }
    signal.addEventListener('abort', onAbort, { once: true })
    cancel = timer(ms, () => {
      signal.removeEventListener('abort', onAbort)
      resolve()
    })
  })
}
