{{- define "kontroler.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "kontroler.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else if contains (include "kontroler.name" .) .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "kontroler.name" .) | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "kontroler.selector" -}}
app.kubernetes.io/name: {{ include "kontroler.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: controller
{{- end -}}

{{- define "kontroler.labels" -}}
{{ include "kontroler.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "kontroler.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "kontroler.fullname" .) -}}
{{- else -}}
{{- required "serviceAccount.name is needed when serviceAccount.create is false" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "kontroler.installation" -}}
{{- $name := .Values.installation | default .Release.Name -}}
{{- if gt (len $name) 30 -}}
{{- fail (printf "the name of the installation, %q, has more than 30 characters; set `installation`" $name) -}}
{{- end -}}
{{- $name -}}
{{- end -}}

{{- define "kontroler.namespaces" -}}
{{- .Values.namespaces | default (list .Release.Namespace) | uniq | sortAlpha | toJson -}}
{{- end -}}

{{/* Whether there is something to be kept on a volume. */}}
{{- define "kontroler.keeps" -}}
{{- if or (eq .Values.database.type "sqlite") (eq .Values.logs.type "files") -}}true{{- end -}}
{{- end -}}

{{- define "kontroler.claim" -}}
{{- .Values.persistence.existingClaim | default (printf "%s-state" (include "kontroler.fullname" .)) -}}
{{- end -}}

{{/* What the values together must not say. */}}
{{- define "kontroler.check" -}}
{{- if and .Values.clusterWide .Values.namespaces -}}
{{- fail "`clusterWide` and `namespaces` exclude each other" -}}
{{- end -}}
{{- with .Values.database -}}
{{- if and (eq .type "postgresql") (not .postgresql.urlSecret.name) (not .postgresql.host) -}}
{{- fail "database.type postgresql needs database.postgresql.host or database.postgresql.urlSecret.name" -}}
{{- end -}}
{{- end -}}
{{- if and (eq .Values.logs.type "s3") (not .Values.logs.s3.bucket) -}}
{{- fail "logs.type s3 needs logs.s3.bucket" -}}
{{- end -}}
{{- end -}}

{{/* The configuration of the controller; docs/reference/configuration.md. */}}
{{- define "kontroler.config" -}}
installation: {{ include "kontroler.installation" . | quote }}
namespaces: {{ if .Values.clusterWide }}"*"{{ else }}{{ include "kontroler.namespaces" . }}{{ end }}
stateDir: /var/lib/kontroler
listen: "0.0.0.0:8080"
maxParallel: {{ int64 .Values.maxParallel }}
pools: {{ .Values.pools | toJson }}
stopGrace: {{ .Values.stopGrace | quote }}
fenceSize: {{ int64 .Values.fenceSize }}
retention:
  {{- if .Values.retention.runs }}
  runs: {{ int64 .Values.retention.runs }}
  {{- end }}
  age: {{ .Values.retention.age | quote }}
log:
  level: {{ .Values.logLevel }}
{{- if eq .Values.database.type "postgresql" }}
{{- with .Values.database.postgresql }}
database:
  {{- if .urlSecret.name }}
  urlFile: /etc/kontroler/database/url
  {{- else }}
  url: {{ printf "postgres://%s@%s:%d/%s?sslmode=%s&schema=%s%s" (.user | urlquery | replace "+" "%20") .host (int .port) (.database | urlquery | replace "+" "%20") .sslMode .schema (ternary "&sslrootcert=/etc/kontroler/database/ca.crt" "" (ne .caSecret.name "")) | quote }}
  {{- if .passwordSecret.name }}
  passwordFile: /etc/kontroler/database/password
  {{- end }}
  {{- end }}
{{- end }}
{{- end }}
logs:
  kind: {{ .Values.logs.type }}
  maxBytes: {{ .Values.logs.maxBytes | quote }}
  {{- if eq .Values.logs.type "s3" }}
  {{- with .Values.logs.s3 }}
  s3:
    bucket: {{ .bucket | quote }}
    {{- with .prefix }}
    prefix: {{ . | quote }}
    {{- end }}
    {{- with .endpoint }}
    endpoint: {{ . | quote }}
    {{- end }}
    {{- with .region }}
    region: {{ . | quote }}
    {{- end }}
    {{- if kindIs "bool" .pathStyle }}
    pathStyle: {{ .pathStyle }}
    {{- end }}
  {{- end }}
  {{- end }}
{{- end -}}

{{/* What the controller does in each namespace of its DAGs, and nothing else. */}}
{{- define "kontroler.rules" -}}
- apiGroups: [kontroler.greedykomodo]
  resources: [dags, dagtasks]
  verbs: [list, watch]
- apiGroups: [kontroler.greedykomodo]
  resources: [dagruns]
  verbs: [list, watch, create, delete]
- apiGroups: [kontroler.greedykomodo]
  resources: [dags/status, dagruns/status, dagtasks/status]
  verbs: [patch]
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch, create, patch, delete, deletecollection]
- apiGroups: [""]
  resources: [pods/log]
  verbs: [get]
# Fences and scripts.
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, list, create, delete]
# Workspaces.
- apiGroups: [""]
  resources: [persistentvolumeclaims]
  verbs: [get, list, create, delete]
# Those of its pods are read, to say why one waits.
- apiGroups: [""]
  resources: [events]
  verbs: [list, watch]
# Its own, about DAGs and runs.
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- end -}}

{{/* Sources of the volume with what is needed to log in to PostgreSQL; empty when there are none. */}}
{{- define "kontroler.databaseSecrets" -}}
{{- if eq .Values.database.type "postgresql" -}}
{{- with .Values.database.postgresql -}}
{{- if .urlSecret.name }}
- secret:
    name: {{ .urlSecret.name }}
    items: [{key: {{ .urlSecret.key }}, path: url}]
{{- else -}}
{{- if .passwordSecret.name }}
- secret:
    name: {{ .passwordSecret.name }}
    items: [{key: {{ .passwordSecret.key }}, path: password}]
{{- end -}}
{{- if .caSecret.name }}
- secret:
    name: {{ .caSecret.name }}
    items: [{key: {{ .caSecret.key }}, path: ca.crt}]
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
