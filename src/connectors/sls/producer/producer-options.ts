import {
  checkedField,
  type Duration,
  durationField,
  type OptionFieldsOf,
  OptionsError,
  optional,
  optionProblems,
  parseDuration,
} from '../../../core/index.ts'
import type { OutgoingLog } from './outgoing-log.ts'
import type { SlsRoute } from './route.ts'
import {
  isRoute,
  type SlsSendOptions,
  type SlsSendSettings,
  sendOptionFields,
  sendSettingsOf,
} from './write-options.ts'

/** What of `createProducer` is not about the connection. */
export interface SlsProducerSendOptions extends SlsSendOptions {
  /** How the shard of a log without a hash key is chosen. Default: the service does it, for balance. */
  readonly route?: SlsRoute<OutgoingLog> | undefined
  /** How long a call of `send` waits for room in memory before it gives up. 0 to 1 d, default 60 s. */
  readonly blockMax?: Duration | undefined
}

export interface SlsProducerSettings extends SlsSendSettings {
  readonly route: SlsRoute<OutgoingLog> | undefined
  readonly blockMs: number
}

export const producerOptionFields: OptionFieldsOf<SlsProducerSendOptions> = {
  ...sendOptionFields,
  route: optional(checkedField('hashKey(…), md5Of(…) or buckets(n, …)', isRoute)),
  blockMax: optional(durationField({ maxMs: 86_400_000 })),
}

/**
 * Reads the options at the door. `others` are the problems of options that belong to the connection.
 * @throws OptionsError `OPTIONS_INVALID` naming every problem at once.
 */
export const resolveProducerOptions = (
  options: SlsProducerSendOptions,
  others: readonly string[] = [],
): SlsProducerSettings => {
  const problems = [...others, ...optionProblems(producerOptionFields, options)]
  if (problems.length > 0) {
    throw new OptionsError('OPTIONS_INVALID', { message: `createProducer: ${problems.join('; ')}` })
  }
  return Object.freeze({
    ...sendSettingsOf(options),
    route: options.route,
    blockMs: parseDuration(options.blockMax ?? '60s'),
  })
}
