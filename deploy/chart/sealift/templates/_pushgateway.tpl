{{/* The Pushgateway's container and volume: in the operator's pod, or in a pod of their own. */}}

{{- define "sealift.pushgatewayContainer" -}}
- name: pushgateway
  image: {{ include "sealift.imageReference" (dict "image" .Values.pushgateway.image "tag" "") }}
  imagePullPolicy: {{ .Values.pushgateway.image.pullPolicy }}
  args:
    - --web.listen-address=:56789
    - --persistence.file=/var/pv/pushgateway.dat
    # Without it, what was pushed in the last five minutes is lost when it is killed.
    - --persistence.interval=10s
  ports:
    - name: pushgateway
      containerPort: 56789
  livenessProbe:
    httpGet:
      path: /-/healthy
      port: pushgateway
  readinessProbe:
    httpGet:
      path: /-/ready
      port: pushgateway
  resources:
    {{- toYaml .Values.pushgateway.resources | nindent 4 }}
  securityContext:
    # The user of the Pushgateway's own image.
    runAsUser: 65534
    runAsGroup: 65534
    {{- include "sealift.containerSecurity" . | nindent 4 }}
  volumeMounts:
    - name: pushgateway
      mountPath: /var/pv
{{- end }}

{{- define "sealift.pushgatewayVolume" -}}
- name: pushgateway
  {{- if .Values.pushgateway.persistence.enabled }}
  persistentVolumeClaim:
    claimName: {{ default (printf "%s-pushgateway" (include "sealift.fullname" .)) .Values.pushgateway.persistence.existingClaim }}
  {{- else }}
  emptyDir:
    sizeLimit: 64Mi
  {{- end }}
{{- end }}
