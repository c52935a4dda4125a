{{- /* Annotations for the Vault Agent Injector: each secret is a file below /secrets. The bot reads them at start only, so the
agent fills them in and leaves. */}}
{{- define "cdcbot.vault" -}}
vault.hashicorp.com/agent-inject: "true"
vault.hashicorp.com/agent-pre-populate-only: "true"
vault.hashicorp.com/role: {{ .Values.secrets.vault.role | quote }}
vault.hashicorp.com/secret-volume-path: /secrets
{{- range $key, $file := .Values.secrets.files }}
{{- if $file }}
vault.hashicorp.com/agent-inject-secret-{{ $file }}: {{ $.Values.secrets.vault.path | quote }}
vault.hashicorp.com/agent-inject-template-{{ $file }}: {{ printf "{{- with secret %q -}}{{ index .Data.data %q }}{{- end -}}" $.Values.secrets.vault.path $file | quote }}
{{- end }}
{{- end }}
{{- with .Values.secrets.vault.annotations }}
{{ toYaml . }}
{{- end }}
{{- end }}
