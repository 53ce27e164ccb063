{{/* Names and labels that several templates share. */}}

{{- define "sealift.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end }}

{{/* The name of the release's objects: the release's, with the chart's unless it is in it. */}}
{{- define "sealift.fullname" -}}
{{- $name := include "sealift.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{/* Labels of every object. */}}
{{- define "sealift.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/name: {{ include "sealift.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* What selects the operator's pods. It never changes: a Deployment's selector cannot. */}}
{{- define "sealift.operatorLabels" -}}
app.kubernetes.io/name: {{ include "sealift.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end }}

{{/* What selects the pod of a Pushgateway that does not live in the operator's. */}}
{{- define "sealift.pushgatewayLabels" -}}
app.kubernetes.io/name: {{ include "sealift.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: pushgateway
{{- end }}

{{- define "sealift.serviceAccountName" -}}
{{- default (include "sealift.fullname" .) .Values.serviceAccount.name -}}
{{- end }}

{{/* An image in full; called with a dict of `image` and `tag`, the tag to fall back to. */}}
{{- define "sealift.imageReference" -}}
{{- if .image.digest -}}
{{ .image.repository }}@{{ .image.digest }}
{{- else -}}
{{ .image.repository }}:{{ default .tag .image.tag }}
{{- end -}}
{{- end }}

{{- define "sealift.image" -}}
{{- include "sealift.imageReference" (dict "image" .Values.image "tag" .Chart.AppVersion) -}}
{{- end }}

{{/* Where the Pushgateway runs: "pod" (the operator's), "alone", or "elsewhere". */}}
{{- define "sealift.pushgatewayPlace" -}}
{{- if not .Values.pushgateway.enabled -}}
elsewhere
{{- else if gt (int .Values.replicas) 1 -}}
alone
{{- else -}}
pod
{{- end -}}
{{- end }}

{{/* Where Jobs push to. */}}
{{- define "sealift.pushgatewayUrl" -}}
{{- $place := include "sealift.pushgatewayPlace" . -}}
{{- if eq $place "elsewhere" -}}
{{- required "pushgateway.url is empty: with pushgateway.enabled=false it names the Pushgateway to use" .Values.pushgateway.url -}}
{{- else if .Values.pushgateway.url -}}
{{- fail "pushgateway.url is set and pushgateway.enabled is true: set pushgateway.enabled=false to use that one" -}}
{{- else if eq $place "alone" -}}
http://{{ include "sealift.fullname" . }}-pushgateway.{{ .Release.Namespace }}.svc:56789
{{- else -}}
http://{{ include "sealift.fullname" . }}.{{ .Release.Namespace }}.svc:56789
{{- end -}}
{{- end }}

{{/* Labels of the nodes for Jobs, as the operator is told them. */}}
{{- define "sealift.jobNodeSelector" -}}
{{- $labels := list -}}
{{- range $label, $value := .Values.jobNodeSelector -}}
{{- $labels = append $labels (printf "%s=%s" $label $value) -}}
{{- end -}}
{{- join "," $labels -}}
{{- end }}

{{/* What a pod is held to; the container's part is below. */}}
{{- define "sealift.podSecurity" -}}
runAsNonRoot: true
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "sealift.containerSecurity" -}}
allowPrivilegeEscalation: false
capabilities:
  drop: [ALL]
privileged: false
readOnlyRootFilesystem: true
{{- end }}
