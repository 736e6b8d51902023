const httpStatus = /" ([1-5])\d\d (?:\d|-)/
const syslogPriority = /^<(\d{1,3})>/
const word =
  /\b(?:(emerg(?:ency)?|alert|fatal|crit(?:ical)?|panic)|(err(?:or)?|severe)|(warn(?:ing)?)|(notice)|(info)|(debug|trace))\b/i

const levels = ['FATAL', 'ERROR', 'WARN', 'NOTICE', 'INFO', 'DEBUG'] as const
/** The eight severities of syslog. */
const severities = ['FATAL', 'FATAL', 'FATAL', 'ERROR', 'WARN', 'NOTICE', 'INFO', 'DEBUG'] as const

/** The level of a log line in any of the common shapes, or the class of its HTTP status; `OTHER` when it has neither. */
export const levelOf = (line: string): string => {
  const head = line.slice(0, 400)
  const status = httpStatus.exec(head)
  if (status !== null) return `${status[1]}xx`
  const priority = syslogPriority.exec(head)
  if (priority !== null) return severities[Number(priority[1]) % 8] ?? 'OTHER'
  const found = word.exec(head)
  return levels.find((_, index) => found?.[index + 1] !== undefined) ?? 'OTHER'
}
