import { asError, type Clock, OptionsError, Secret } from '../../../core/index.ts'
import type { Credentials } from '../../../wire/index.ts'

/** An access key as a user gives it. */
export interface SlsCredentials {
  readonly accessKeyId: string
  readonly accessKeySecret: string | Secret
  /** For temporary credentials (STS). */
  readonly securityToken?: string | Secret | undefined
  /** When they end, in milliseconds since 1970; they are fetched again some minutes before. Default: never. */
  readonly expiresMs?: number | undefined
}

/** Gives credentials whenever new ones are needed: at first, ahead of their end, and when the service refuses them. */
export type SlsCredentialsProvider = () => Promise<SlsCredentials>

/** Credentials in use. Two are the same only if one fetch gave them. */
export interface HeldCredentials extends Credentials {
  readonly expiresMs: number
}

/** Fetched again when less than this is left. */
const aheadMs = 5 * 60_000
/** Between two fetches that failed while the old credentials hold. */
const pauseMs = 10_000
const fetchTimeoutMs = 30_000

const secretOf = (value: string | Secret): Secret => (value instanceof Secret ? value : new Secret(value))

const isSecret = (value: unknown): value is string | Secret =>
  value instanceof Secret ? value.reveal() !== '' : typeof value === 'string' && value !== ''

/** Why a value is no credentials, without showing any of it; undefined when it is. */
export const credentialsProblem = (value: unknown): string | undefined => {
  if (typeof value !== 'object' || value === null) return 'they are no object'
  const { accessKeyId, accessKeySecret, securityToken, expiresMs } = value as Partial<Record<string, unknown>>
  if (typeof accessKeyId !== 'string' || !/^[^\s:,/]{1,256}$/.test(accessKeyId))
    return "'accessKeyId' is no access key id"
  if (!isSecret(accessKeySecret)) return "'accessKeySecret' is missing or empty"
  if (securityToken !== undefined && !isSecret(securityToken)) return "'securityToken' is empty"
  if (expiresMs !== undefined && typeof expiresMs !== 'number') return "'expiresMs' is no number"
  return undefined
}

const held = (given: SlsCredentials): HeldCredentials => {
  const problem = credentialsProblem(given)
  if (problem !== undefined) throw new OptionsError('OPTIONS_INVALID', { message: `credentials: ${problem}` })
  return {
    accessKeyId: given.accessKeyId,
    accessKeySecret: secretOf(given.accessKeySecret),
    securityToken: given.securityToken === undefined ? undefined : secretOf(given.securityToken),
    expiresMs: given.expiresMs ?? Number.POSITIVE_INFINITY,
  }
}

/** Holds the credentials of a client, and sees to it that there is one fetch at a time. */
export class CredentialsHolder {
  readonly #provider: SlsCredentialsProvider | undefined
  readonly #clock: Clock
  #held: HeldCredentials | undefined
  #fetching: Promise<HeldCredentials> | undefined
  #pausedUntilMs = 0

  /** @throws OptionsError `OPTIONS_INVALID` when credentials that do not change are none. */
  constructor(given: SlsCredentials | SlsCredentialsProvider, clock: Clock) {
    this.#clock = clock
    if (typeof given === 'function') this.#provider = given
    else this.#held = held(given)
  }

  /** Credentials that hold now. @throws what the provider rejects with, when there are none. */
  async current(): Promise<HeldCredentials> {
    const now = this.#held
    if (this.#provider === undefined && now !== undefined) return now
    const leftMs = now === undefined ? 0 : now.expiresMs - this.#clock.wallMs()
    if (now === undefined || leftMs <= 0) return this.#fetch()
    if (leftMs < aheadMs && this.#clock.monoMs() >= this.#pausedUntilMs) {
      // The old ones still hold: nobody waits for the new ones, and a failure is not one yet.
      this.#fetch().catch(() => {})
    }
    return now
  }

  /** Other credentials than the refused ones; undefined when there are no others to be had. */
  async afterRefusal(refused: HeldCredentials): Promise<HeldCredentials | undefined> {
    if (this.#provider === undefined) return undefined
    const now = this.#held
    if (now !== undefined && now !== refused) return now
    const next = await this.#fetch()
    const same =
      next.accessKeyId === refused.accessKeyId &&
      next.accessKeySecret.reveal() === refused.accessKeySecret.reveal() &&
      next.securityToken?.reveal() === refused.securityToken?.reveal()
    return same ? undefined : next
  }

  #fetch(): Promise<HeldCredentials> {
    this.#fetching ??= this.#fetchNow().finally(() => {
      this.#fetching = undefined
    })
    return this.#fetching
  }

  async #fetchNow(): Promise<HeldCredentials> {
    const provider = this.#provider
    if (provider === undefined) throw new Error('there is no provider of credentials')
    try {
      const next = held(await this.#inTime(provider()))
      this.#held = next
      return next
    } catch (error) {
      this.#pausedUntilMs = this.#clock.monoMs() + pauseMs
      throw asError(error)
    }
  }

  #inTime<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const cancel = this.#clock.timer(fetchTimeoutMs, () =>
        reject(new Error(`the provider of credentials did not answer within ${fetchTimeoutMs} ms`)),
      )
      promise.then(resolve, reject).finally(cancel)
    })
  }
}
