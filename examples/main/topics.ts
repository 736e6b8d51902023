import { levelOf } from '../shared/level.ts'

/** The topics lines are written under; each has a target logstore of the same name. */
export const topics = ['errors', 'warnings', 'routine'] as const

export type Topic = (typeof topics)[number]

const topicOfLevel: Readonly<Record<string, Topic>> = {
  FATAL: 'errors',
  ERROR: 'errors',
  '5xx': 'errors',
  WARN: 'warnings',
  '4xx': 'warnings',
}

/** Where lines of a level belong. */
export const topicOf = (level: string): Topic => topicOfLevel[level] ?? 'routine'

export { levelOf }
