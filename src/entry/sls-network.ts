import { checkOptions, integerField, type OptionFieldsOf, optional, type Transport, textField } from '../core/index.ts'
import { undiciTransport } from '../platform/index.ts'

/** How this machine reaches the service. Certificates are always verified. */
export interface SlsNetworkOptions {
  /** Connections to one host at a time. 1 to 10000, default 64. */
  readonly connections?: number | undefined
  /** A file with certificates in PEM to trust instead of the well-known ones. */
  readonly caFile?: string | undefined
}

export const networkFields: OptionFieldsOf<SlsNetworkOptions> = {
  connections: optional(integerField(1, 10_000)),
  caFile: optional(textField('the path of a file')),
}

/** @throws OptionsError `OPTIONS_INVALID` naming every problem at once. */
export const checkNetwork = (network: SlsNetworkOptions): void =>
  checkOptions<SlsNetworkOptions>('SLS network', networkFields, network)

let shared: Transport | undefined

/**
 * The connections of a source, a sink or a producer, opened when they are first used: those of the process, unless options
 * ask for some of its own.
 */
export const networkOf = (network: SlsNetworkOptions | undefined): (() => Transport) => {
  if (network === undefined) {
    return () => {
      shared ??= undiciTransport({})
      return shared
    }
  }
  checkNetwork(network)
  let own: Transport | undefined
  return () => {
    own ??= undiciTransport({ connections: network.connections, caFile: network.caFile })
    return own
  }
}
