import { checkpointBugs } from './checkpoint-bugs.ts'
import { commitBugs } from './commit-bugs.ts'
import type { PlantedBug } from './planted-bug.ts'
import { sinkBugs } from './sink-bugs.ts'
import { slsBugs } from './sls-bugs.ts'
import { slsKindsBugs } from './sls-kinds-bugs.ts'
import { stateBugs } from './state-bugs.ts'

export type { PlantedBug } from './planted-bug.ts'

export const plantedBugs: readonly PlantedBug[] = [
  ...checkpointBugs,
  ...commitBugs,
  ...sinkBugs,
  ...stateBugs,
  ...slsBugs,
  ...slsKindsBugs,
]
