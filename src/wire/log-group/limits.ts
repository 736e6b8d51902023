/** What one message may hold. Bodies are limited in bytes before they are read; these bound what is kept per byte. */
export interface LogGroupLimits {
  /** LogGroups in a list. Default 65,536; a pull asks for 1000 at most (SLS protocol paper, section 5.4). */
  readonly groupsMax: number
  /** Logs in a LogGroup. Default 1,048,576; clients send 512,000 at most (SLS protocol paper, section 4.4). */
  readonly logsMax: number
  /** Contents of a log. Default 65,536. */
  readonly contentsMax: number
  /** Tags of a LogGroup. Default 4096. */
  readonly tagsMax: number
}

export const defaultLogGroupLimits: LogGroupLimits = {
  groupsMax: 65_536,
  logsMax: 1_048_576,
  contentsMax: 65_536,
  tagsMax: 4_096,
}

/** The limits with defaults for what is not given. */
export const logGroupLimits = (limits: Partial<LogGroupLimits> = {}): LogGroupLimits => ({
  ...defaultLogGroupLimits,
  ...limits,
})
