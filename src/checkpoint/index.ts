/** What survives a crash: the coordinator, the directory of checkpoints, and the plan to restore one. Imports core only. */
export * from './checkpoint-store.ts'
