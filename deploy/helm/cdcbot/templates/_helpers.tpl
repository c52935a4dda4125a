{{- define "cdcbot.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "cdcbot.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- else if contains (include "cdcbot.name" .) .Release.Name }}
{{- .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "cdcbot.name" .) | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "cdcbot.selector" -}}
app.kubernetes.io/name: {{ include "cdcbot.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: bot
{{- end }}

{{- define "cdcbot.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | trunc 63 | quote }}
app.kubernetes.io/name: {{ include "cdcbot.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "cdcbot.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (ternary (include "cdcbot.fullname" .) "default" .Values.serviceAccount.create) }}
{{- end }}

{{- define "cdcbot.image" -}}
{{- if .Values.image.digest }}{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else }}{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{- define "cdcbot.redis" -}}
{{ .Release.Name | trunc 50 | trimSuffix "-" }}-redis
{{- end }}

{{- define "cdcbot.runbooks" -}}
{{- .Values.runbooks.existingConfigMap | default (ternary (printf "%s-runbooks" (include "cdcbot.fullname" .)) "" (gt (len .Values.runbooks.files) 0)) }}
{{- end }}

{{- /* The bot's configuration: what values say, and what only the chart knows. */}}
{{- define "cdcbot.config" -}}
{{- $config := deepCopy .Values.config }}
{{- $_ := set $config "listen" ":8080" }}
{{- $cluster := $config.kubernetes | default dict }}
{{- $_ := set $config "kubernetes" (merge $cluster (dict "namespace" .Release.Namespace)) }}
{{- if .Values.redis.enabled }}
{{- $_ := set $config "redis" (merge (dict "url" (printf "redis://%s:6379/0" (include "cdcbot.redis" .))) ($config.redis | default dict)) }}
{{- end }}
{{- if include "cdcbot.runbooks" . }}
{{- $_ := set $config "runbooks" (dict "dir" "/runbooks") }}
{{- end }}
{{- range $key, $file := .Values.secrets.files }}
{{- if $file }}
{{- $at := $config }}
{{- $path := splitList "." $key }}
{{- range initial $path }}
{{- if not (index $at .) }}{{ $_ := set $at . dict }}{{ end }}
{{- $at = index $at . }}
{{- end }}
{{- $_ := set $at (printf "%s_file" (last $path)) (printf "/secrets/%s" $file) }}
{{- end }}
{{- end }}
{{- toYaml $config }}
{{- end }}

{{- /* The names of the workloads of a kind ("deployment") that the configuration names, as a list in JSON. */}}
{{- define "cdcbot.workloads" -}}
{{- $kind := .kind }}
{{- $names := list }}
{{- range .pipelines }}
{{- range $service, $it := .services | default dict }}
{{- if eq ($it.kind | default "docker") "kubernetes" }}
{{- $parts := splitList "/" ($it.name | default $service) }}
{{- $of := ternary (first $parts) "deployment" (gt (len $parts) 1) }}
{{- if eq $of $kind }}{{ $names = append $names (last $parts) }}{{ end }}
{{- end }}
{{- end }}
{{- end }}
{{- $names | uniq | sortAlpha | toJson }}
{{- end }}

{{- define "cdcbot.hasWorkloads" -}}
{{- range list "deployment" "statefulset" "daemonset" }}
{{- if include "cdcbot.workloads" (dict "kind" . "pipelines" $.Values.config.pipelines) | fromJsonArray }}yes{{ end }}
{{- end }}
{{- end }}

{{- /* The ports of everything that the configuration names, as a list in JSON: what is not let out does not answer. */}}
{{- define "cdcbot.ports" -}}
{{- $known := dict "http" "80" "https" "443" "redis" "6379" "rediss" "6379" "postgres" "5432" "postgresql" "5432" }}
{{- $config := include "cdcbot.config" . | fromYaml }}
{{- $urls := list (dig "redis" "url" "" $config) (dig "slack" "api_url" "" $config) (dig "page" "url" "" $config) (dig "page" "pagerduty_url" "" $config) (dig "vault" "url" "" $config) (dig "archive" "url" "" $config) (dig "alertmanager" "url" "" $config) (dig "tracing" "endpoint" "" $config) }}
{{- $ports := list }}
{{- range $config.pipelines }}
{{- $p := . }}
{{- range list "connect" "postgres" "vault" "registry" "prometheus" "cdc_api" }}{{ $urls = append $urls (dig . "url" "" $p) }}{{ end }}
{{- $urls = append $urls (dig "failover" "connect" "url" "" $p) }}
{{- range .http | default dict }}{{ $urls = append $urls (.url | default "") }}{{ end }}
{{- range dig "kafka" "brokers" list $p }}{{ $ports = append $ports (regexFind "[0-9]+$" . | default "9092") }}{{ end }}
{{- range dig "cassandra" "hosts" list $p }}{{ $ports = append $ports (regexFind ":[0-9]+$" . | trimPrefix ":" | default "9042") }}{{ end }}
{{- end }}
{{- range without $urls "" }}
{{- $scheme := regexFind "^[a-z]+" . }}
{{- range splitList "," (regexReplaceAll "^[a-z]+://([^/?#]*@)?([^/?#]*).*$" . "${2}") }}
{{- $ports = append $ports (regexFind ":[0-9]+$" . | trimPrefix ":" | default (index $known $scheme | default "")) }}
{{- end }}
{{- end }}
{{- without ($ports | uniq | sortAlpha) "" | toJson }}
{{- end }}

{{- /* What is wrong with the values as a whole; a schema cannot say it so that it helps. */}}
{{- define "cdcbot.check" -}}
{{- $source := .Values.secrets.source }}
{{- if and (eq $source "secret") (not .Values.secrets.existingSecret) }}{{ fail "secrets.existingSecret: missing; expected the name of a Secret with the keys of secrets.files (or choose another secrets.source)" }}{{ end }}
{{- if and (eq $source "csi") (not .Values.secrets.secretProviderClass) }}{{ fail "secrets.secretProviderClass: missing; expected the name of a SecretProviderClass with the files of secrets.files" }}{{ end }}
{{- if and (eq $source "vault") (not (and .Values.secrets.vault.role .Values.secrets.vault.path)) }}{{ fail "secrets.vault.role and secrets.vault.path: missing; expected a role of Vault's Kubernetes auth method and the path of a KV version 2 secret" }}{{ end }}
{{- if not .Values.config.pipelines }}{{ fail "config.pipelines: missing; expected at least one, such as {warehouse: {connect: {url: http://kafka-connect.cdc:8083}}}" }}{{ end }}
{{- if not (or .Values.redis.enabled (dig "redis" "url" "" .Values.config)) }}{{ fail "config.redis.url: missing; expected redis://host:6379/0 (or redis.enabled: true)" }}{{ end }}
{{- $written := regexReplaceAll "(?m)^( *[a-z_]+: )[\"']?vault:[^ \n]+#[^ \n]+$" (toYaml .Values.config) "${1}\"\"" }}{{- /* a reference tells no secret */}}
{{- with regexFind "(?m)^ *(app_token|bot_token|keys|pagerduty_key|password|secret_id|token|totp): *(\"[^\"]|'+[^' \n]|[^\"' \n])" $written }}{{ fail (printf "config: %s…: a secret; expected it in a file that secrets.files names, because a ConfigMap is no place for it" (regexFind "[a-z_]+" .)) }}{{ end }}
{{- if regexMatch "://[^/@ ]*:[^/@ ]+@" (toYaml .Values.config) }}{{ fail "config: a URL with a password; expected the password in a file that secrets.files names" }}{{ end }}
{{- if and .Values.runbooks.files .Values.runbooks.existingConfigMap }}{{ fail "runbooks: give files or existingConfigMap, not both" }}{{ end }}
{{- end }}
