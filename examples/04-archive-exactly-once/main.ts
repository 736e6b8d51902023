import { runExample } from '../shared/example.ts'
import { example } from './archive.ts'

await runExample('04-archive-exactly-once', example)
