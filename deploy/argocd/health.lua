-- Health of DAG, DagRun and DagTask for Argo CD: the same text serves all three kinds.
-- In argocd-cm: resource.customizations.health.kontroler.greedykomodo_DAG (and _DagRun, _DagTask).
local health = { status = "Progressing", message = "not looked at yet" }
local status = obj.status
if status == nil or status.conditions == nil then
  return health
end
if status.observedGeneration ~= nil and obj.metadata.generation ~= nil
  and status.observedGeneration < obj.metadata.generation then
  health.message = "the change was not looked at yet"
  return health
end

local holds = {}
for _, condition in ipairs(status.conditions) do
  if condition.status == "True" then
    holds[condition.type] = condition.message or ""
  end
end

if status.phase == "paused" then
  return { status = "Suspended", message = status.message or "paused" }
end
if holds["Stalled"] ~= nil then
  return { status = "Degraded", message = holds["Stalled"] }
end
if holds["Ready"] ~= nil then
  if obj.kind == "DAG" and obj.spec ~= nil and obj.spec.suspended == true then
    return { status = "Suspended", message = "its schedules are suspended" }
  end
  return { status = "Healthy", message = holds["Ready"] }
end
health.message = holds["Reconciling"] or status.message or ""
return health
