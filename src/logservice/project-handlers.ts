import type { HttpResponse } from '../core/index.ts'
import { emptyAnswer, jsonAnswer } from './answers.ts'
import { type Call, integerParameter, objectBody } from './call.ts'
import type { JsonObject } from './facts.ts'
import { isProjectName } from './names.ts'
import { projectOf } from './places.ts'
import { parameterInvalid, projectNotExist, Refusal, tooMany } from './refusal.ts'
import type { ServiceCore } from './service-core.ts'
import type { Project } from './service-state.ts'

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')

/** Times are texts here and numbers for a logstore (SLS protocol paper, §8.1). */
const projectJson = (project: Project): JsonObject => ({
  projectName: project.name,
  description: textOf(project.config['description']),
  status: 'Normal',
  owner: '',
  region: 'millrace',
  createTime: String(project.createSeconds),
  lastModifyTime: String(project.modifySeconds),
  resourceGroupId: textOf(project.config['resourceGroupId']),
  dataRedundancyType: textOf(project.config['dataRedundancyType']) || 'LRS',
})

/** The name comes from the body, whatever the host: two SDKs create on the bare endpoint (SLS protocol paper, §1.4). */
export const createProject = async (core: ServiceCore, call: Call): Promise<HttpResponse> => {
  const { projectName, ...config } = objectBody(call, 'ParameterInvalid')
  if (typeof projectName !== 'string' || !isProjectName(projectName))
    throw parameterInvalid('projectName must be 1 to 128 letters and digits, with - and _ inside')
  // A host name has no upper case.
  const name = projectName.toLowerCase()
  await core.change(() => {
    if (core.state.projects.has(name))
      throw new Refusal(400, 'ProjectAlreadyExist', `Project ${projectName} already exist`)
    const { limits } = core.settings
    if (core.state.projects.size >= limits.projects) throw tooMany('projects', limits.projects)
    return { fact: { kind: 'project-created', project: name, config, seconds: core.nowSeconds() } }
  })
  return emptyAnswer()
}

/** One project on its own host, all of them on the bare endpoint. */
export const getProjects = (core: ServiceCore, call: Call): HttpResponse => {
  if (call.project !== undefined)
    return jsonAnswer({
      ...projectJson(projectOf(core.state, call)),
      quota: { shard: core.settings.limits.shards, logstore: core.settings.limits.logstoresPerProject },
    })
  const wanted = call.query.get('projectName') ?? ''
  const found = [...core.state.projects.values()].filter(({ name }) => name.includes(wanted.toLowerCase()))
  const offset = integerParameter(call, 'offset', 0)
  const page = found.slice(offset, offset + integerParameter(call, 'size', 100))
  return jsonAnswer({ count: page.length, total: found.length, projects: page.map(projectJson) })
}

export const updateProject = async (core: ServiceCore, call: Call): Promise<HttpResponse> => {
  projectOf(core.state, call)
  const { projectName: _, ...changed } = objectBody(call, 'ParameterInvalid')
  await core.change(() => {
    const { name, config } = projectOf(core.state, call)
    const fact = { kind: 'project-updated', project: name, config: { ...config, ...changed } } as const
    return { fact: { ...fact, seconds: core.nowSeconds() } }
  })
  return emptyAnswer()
}

export const deleteProject = async (core: ServiceCore, call: Call): Promise<HttpResponse> => {
  const name = call.project ?? nameInBody(call)
  await core.change(() => {
    const project = core.state.projects.get(name)
    if (project === undefined) throw projectNotExist(name)
    const shards = [...project.logstores.values()].flatMap(({ shards: own }) => [...own.values()])
    return {
      fact: { kind: 'project-deleted', project: name, cursorFloor: core.cursorFloorOf(shards) },
      closing: shards,
    }
  })
  await core.dropDoomed()
  return emptyAnswer()
}

const nameInBody = (call: Call): string => {
  const { projectName } = objectBody(call, 'ParameterInvalid')
  if (typeof projectName !== 'string') throw parameterInvalid('neither the host nor the body names a project')
  return projectName.toLowerCase()
}
