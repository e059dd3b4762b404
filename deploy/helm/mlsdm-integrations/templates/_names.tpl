{{- define "mlsdm.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 48 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 48 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Names of the services that are to be there, as a list in JSON. */}}
{{- define "mlsdm.services" -}}
{{- $names := list -}}
{{- range $name, $service := .Values.services -}}
{{- if $service.enabled -}}{{- $names = append $names $name -}}{{- end -}}
{{- end -}}
{{- $names | sortAlpha | toJson -}}
{{- end -}}

{{/* Labels by which the pods of one part are found. Called with (dict "root" $ "name" NAME). */}}
{{- define "mlsdm.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .name }}
{{- end -}}

{{- define "mlsdm.labels" -}}
{{ include "mlsdm.selector" . }}
app.kubernetes.io/part-of: mlsdm
app.kubernetes.io/version: {{ .root.Values.image.tag | default .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "mlsdm.image" -}}
{{- printf "%s/%s:%s" .root.Values.image.repository .name (.root.Values.image.tag | default .root.Chart.AppVersion) -}}
{{- end -}}

{{/* The Secret with the keys of one part. */}}
{{- define "mlsdm.secret" -}}
{{- printf "%s-%s" (.root.Values.secrets.prefix | default (include "mlsdm.fullname" .root)) .name -}}
{{- end -}}

{{/* What is in that Secret, as a list in JSON: nobody has another's key. */}}
{{- define "mlsdm.keys" -}}
{{- $keys := list "nats.nk" -}}
{{- if eq .name "dispatcher" -}}{{- $keys = append $keys "webhook-seal.key" -}}{{- end -}}
{{- if eq .name "secretd" -}}{{- $keys = concat $keys (list "secretd-signing.nk" "audit.key") -}}{{- end -}}
{{- if and (has .name (list "embedder" "generator")) .root.Values.redis.enabled .root.Values.redis.auth -}}{{- $keys = append $keys "redis.password" -}}{{- end -}}
{{- $keys | toJson -}}
{{- end -}}

{{/* How the official chart of NATS calls its objects. */}}
{{- define "mlsdm.nats" -}}
{{- if .Values.nats.fullnameOverride -}}
{{- .Values.nats.fullnameOverride -}}
{{- else if contains "nats" .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-nats" .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "mlsdm.busURL" -}}
{{- if .Values.bus.url -}}
{{- .Values.bus.url -}}
{{- else if .Values.nats.enabled -}}
{{- printf "nats://%s.%s.svc:4222" (include "mlsdm.nats" .) .Release.Namespace -}}
{{- else -}}
{{- fail "bus.url is empty: say where the NATS servers are (nats://HOST:4222), or set nats.enabled" -}}
{{- end -}}
{{- end -}}

{{/* Where autoscaling asks how much is waiting. */}}
{{- define "mlsdm.monitoring" -}}
{{- if .Values.bus.monitoring -}}
{{- .Values.bus.monitoring -}}
{{- else if .Values.nats.enabled -}}
{{- printf "%s-headless.%s.svc:8222" (include "mlsdm.nats" .) .Release.Namespace -}}
{{- else -}}
{{- fail "bus.monitoring is empty: autoscaling reads what is waiting at the monitoring port of a NATS server (HOST:8222)" -}}
{{- end -}}
{{- end -}}

{{/* hook or job: see provision.mode. */}}
{{- define "mlsdm.provisionMode" -}}
{{- $late := or .Values.nats.enabled .Values.secrets.external.enabled -}}
{{- if and (eq .Values.provision.mode "hook") $late -}}
{{- fail "provision.mode hook runs before the servers of nats.enabled and the Secrets of secrets.external.enabled are there: use auto or job" -}}
{{- end -}}
{{- if eq .Values.provision.mode "auto" -}}{{- ternary "job" "hook" $late -}}{{- else -}}{{- .Values.provision.mode -}}{{- end -}}
{{- end -}}

{{/* 85 % of a limit such as 512Mi, for the Go runtime: the rest is for what is not its heap. */}}
{{- define "mlsdm.gomemlimit" -}}
{{- $mib := regexFind "^[0-9]+" . | int -}}
{{- if hasSuffix "Gi" . -}}{{- $mib = mul $mib 1024 -}}{{- end -}}
{{- printf "%dMiB" (div (mul $mib 85) 100) -}}
{{- end -}}

{{/* Whether there can be more than one replica. */}}
{{- define "mlsdm.several" -}}
{{- if or (gt (int .replicas) 1) (dig "autoscaling" "enabled" false .) -}}true{{- end -}}
{{- end -}}
