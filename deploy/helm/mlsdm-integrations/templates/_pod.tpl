{{- define "mlsdm.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile: { type: RuntimeDefault }
{{- end -}}

{{- define "mlsdm.containerSecurity" -}}
allowPrivilegeEscalation: false
privileged: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: { drop: [ALL] }
{{- end -}}

{{/* What everybody on the bus has to know, as a dict in YAML. */}}
{{- define "mlsdm.busEnv" -}}
NATS_URL: {{ include "mlsdm.busURL" . | quote }}
NATS_NKEY: /run/mlsdm/nats.nk
MLSDM_PREFIX: {{ .Values.bus.prefix | quote }}
{{- if .Values.bus.caSecret }}
NATS_CA: /etc/mlsdm/ca/ca.pem
{{- end }}
{{- end -}}

{{/* What the chart sets for a service, as a dict in YAML. env of the values wins over it. */}}
{{- define "mlsdm.serviceEnv" -}}
{{- $values := .root.Values -}}
{{- $service := get $values.services .name -}}
{{ include "mlsdm.busEnv" .root }}
{{- if $values.bus.secretdKey }}
MLSDM_SECRETD_KEY: {{ $values.bus.secretdKey | quote }}
{{- end }}
MLSDM_ADMIN_ADDR: ":9090"
MLSDM_DRAIN_TIMEOUT: {{ printf "%ds" (int $values.drainSeconds) | quote }}
MLSDM_SPOOL_DIR: /var/lib/mlsdm/spool
{{- if $values.otlp.endpoint }}
OTEL_EXPORTER_OTLP_ENDPOINT: {{ $values.otlp.endpoint | quote }}
{{- end }}
{{- if eq .name "ciwatch" }}
CI_WEBHOOK_ADDR: ":8082"
{{- end }}
{{- if $service.config }}
{{ get (dict "ciwatch" "CI_CONFIG" "embedder" "EMBEDDER_CONFIG" "generator" "GENERATOR_CONFIG" "secretd" "SECRETD_CONFIG") .name }}: /etc/mlsdm/config/config.yaml
{{- end }}
{{- if eq .name "dispatcher" }}
WEBHOOK_SEAL_KEYS: file:/run/mlsdm/webhook-seal.key
{{- end }}
{{- if eq .name "secretd" }}
SECRETD_AUDIT_KEY_FILE: /run/mlsdm/audit.key
SECRETD_SIGNING_KEY_FILE: /run/mlsdm/secretd-signing.nk
SECRETD_FILE_ROOTS: /run/secrets/given
{{- if $service.vaultToken.enabled }}
SECRETD_VAULT_JWT_FILE: /run/vault/token
{{- end }}
{{- end }}
{{- if and (has .name (list "embedder" "generator")) $values.redis.enabled }}
{{- if $values.redis.addrs }}
REDIS_ADDRS: {{ join "," $values.redis.addrs | quote }}
{{- with $values.redis.master }}
REDIS_MASTER: {{ . | quote }}
{{- end }}
{{- else }}
REDIS_HOST: {{ required "redis.enabled needs redis.host or redis.addrs" $values.redis.host | quote }}
REDIS_PORT: {{ $values.redis.port | quote }}
{{- end }}
{{- if $values.redis.auth }}
REDIS_PASSWORD: file:/run/mlsdm/redis.password
{{- end }}
{{- end }}
{{- end -}}

{{/* A list of variables out of (dict "env" DICT "secretEnv" DICT "memory" LIMIT); those from Secrets win. */}}
{{- define "mlsdm.env" -}}
- { name: GOMEMLIMIT, value: {{ include "mlsdm.gomemlimit" .memory }} }
{{- range $name, $value := .env }}
{{- if not (hasKey $.secretEnv $name) }}
- { name: {{ $name }}, value: {{ $value | toString | quote }} }
{{- end }}
{{- end }}
{{- range $name, $from := .secretEnv }}
- { name: {{ $name }}, valueFrom: { secretKeyRef: { name: {{ $from.name }}, key: {{ $from.key }} } } }
{{- end }}
{{- end -}}
