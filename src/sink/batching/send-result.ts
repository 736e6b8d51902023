import type { Destination, Package } from './package.ts'

/**
 * What became of one attempt to send a package.
 *
 * - `accepted`: it is stored.
 * - `again`: it is not, or nobody knows; the same package is sent again. Why decides how often.
 * - `too-large`: the other side wants smaller packages; it is split.
 * - `refused`: its content can never be stored.
 * - `failed`: nothing can be stored there, whatever it is: no such place, no permission.
 */
export type SendResult =
  | { readonly kind: 'accepted' }
  | {
      readonly kind: 'again'
      readonly why: AgainReason
      readonly cause: Error
      /** The other side asks for a pause of this length. */
      readonly afterMs?: number | undefined
    }
  | { readonly kind: 'too-large'; readonly cause: Error }
  | { readonly kind: 'refused'; readonly cause: Error }
  | { readonly kind: 'failed'; readonly cause: Error }

/**
 * - `throttled`: over a quota; nothing was stored.
 * - `unavailable`: nothing was stored.
 * - `ambiguous`: it may be stored already; sent again, it may be there twice.
 * - `unauthorized`: the credentials were not accepted; others may be.
 * - `unrecognized`: an answer that refuses, but that the other side does not seem to have written, or not whole.
 */
export type AgainReason = 'throttled' | 'unavailable' | 'ambiguous' | 'unauthorized' | 'unrecognized'

/**
 * Sends packages, once each. What it rejects with counts as `failed`. When it has settled nothing may look at the bytes of
 * the package any more: the next package may lie where they were.
 */
export type SendPackage<D extends Destination, T> = (pack: Package<D, T>, signal: AbortSignal) => Promise<SendResult>

/** How the story of a package ended. `rejected`: these records can never be sent, others may be. */
export type PackageOutcome =
  | { readonly kind: 'accepted'; readonly attempts: number }
  | { readonly kind: 'rejected'; readonly attempts: number; readonly cause: Error }
  | {
      readonly kind: 'failed'
      readonly attempts: number
      readonly cause: Error
      /** It may be stored nevertheless. */
      readonly ambiguous: boolean
    }
