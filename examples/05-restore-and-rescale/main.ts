import { runExample } from '../shared/example.ts'
import { example } from './rescale.ts'

await runExample('05-restore-and-rescale', example)
