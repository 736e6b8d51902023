/** An answer other than 200, on its way to the door of the service, which writes it in the shape of paper §9.1. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly status: number
  readonly errorCode: string

  /** @param message never empty: Node's SDK takes an answer without one for a success (SLS protocol paper, §9.1). */
  constructor(status: number, errorCode: string, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.status = status
    this.errorCode = errorCode
  }
}

const shown = (name: string): string => (name.length > 128 ? `${name.slice(0, 125)}...` : name)

export const parameterInvalid = (message: string): Refusal => new Refusal(400, 'ParameterInvalid', message)
export const projectNotExist = (project: string): Refusal =>
  new Refusal(404, 'ProjectNotExist', `The Project does not exist: ${shown(project)}`)
export const logstoreNotExist = (logstore: string): Refusal =>
  new Refusal(404, 'LogStoreNotExist', `logstore ${shown(logstore)} does not exist`)
export const shardNotExist = (shard: string | number): Refusal =>
  new Refusal(400, 'ShardNotExist', `Shard ${shown(String(shard))} does not exist`)
export const groupNotExist = (group: string): Refusal =>
  new Refusal(404, 'ConsumerGroupNotExist', `consumer group ${shown(group)} does not exist`)
export const methodInvalid = (path: string): Refusal =>
  new Refusal(405, 'InvalidMethod', `invalid request method : ${shown(path)}`)
export const notSupported = (what: string): Refusal =>
  new Refusal(400, 'NotSupported', `${what} is not part of this embedded log service`)
export const tooMany = (what: string, most: number): Refusal =>
  new Refusal(403, 'ExceedQuota', `this log service keeps at most ${most} ${what}`)
