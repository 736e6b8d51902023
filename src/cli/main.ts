#!/usr/bin/env node
import { nodeHost } from '../platform/index.ts'
import { runCommand } from './program.ts'

const words = process.argv.slice(2)
process.exitCode = await runCommand(words, { host: nodeHost, environment: process.env })
