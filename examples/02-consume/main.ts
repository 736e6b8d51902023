import { runExample } from '../shared/example.ts'
import { example } from './consume.ts'

await runExample('02-consume', example)
