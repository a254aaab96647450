//! Lists of pods as long as a kubelet's can be, for tests of time and size.

/// A uid that belongs to the pod of this number.
pub(crate) fn uid(pod: usize) -> String {
    format!("{pod:08x}-52c6-4e8b-b0d1-3a6c8e0f2b94")
}

/// Id of a container of that pod.
pub(crate) fn id(pod: usize, container: usize) -> String {
    // Spread as digests are.
    let number = u64::try_from(pod * 4 + container + 1).unwrap();
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!("{mixed:016x}").repeat(4)
}

/// A list of so many pods, each about as long as those that a deployment makes.
pub(crate) fn pod_list(pods: usize) -> String {
    let pods: Vec<String> = (0..pods).map(pod).collect();
    let head = r#"{"kind":"PodList","apiVersion":"v1","metadata":{},"items":["#;
    format!("{head}{}]}}\n", pods.join(","))
}

fn pod(number: usize) -> String {
    let uid = uid(number);
    let metadata = format!(
        r#"{{"name":"shop-{number:05}-7c9d6","generateName":"shop-{number:05}-","namespace":"shop-{ns}","uid":"{uid}","resourceVersion":"{version}","creationTimestamp":"2026-11-03T08:12:44Z","labels":{{"app":"shop","app.kubernetes.io/instance":"shop-{ns}","app.kubernetes.io/managed-by":"Helm","app.kubernetes.io/name":"shop","app.kubernetes.io/version":"4.2.{ns}","pod-template-hash":"7c9d6","tier":"web"}},"annotations":{{"checksum/config":"{sum}","kubernetes.io/config.seen":"2026-11-03T08:12:44.120304911Z","kubernetes.io/config.source":"api","prometheus.io/port":"9090","prometheus.io/scrape":"true","note":"says \"hello\", {{and}} [more]"}},"ownerReferences":[{{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"shop-{number:05}","uid":"{owner}","controller":true,"blockOwnerDeletion":true}}],"managedFields":{managed}}}"#,
        ns = number % 40,
        version = 1_700_000 + number,
        sum = id(number, 3),
        owner = uid.replace("-52c6-", "-52c7-"),
        managed = managed_fields(&uid),
    );
    let names = ["web", "proxy"];
    let declared: Vec<String> = names.iter().map(|name| container(name)).collect();
    let statuses: Vec<String> =
        names.iter().enumerate().map(|(at, name)| status(name, &id(number, at))).collect();
    format!(
        r#"{{"metadata":{metadata},"spec":{{"volumes":[{volumes}],"initContainers":[{init}],"containers":[{declared}],"restartPolicy":"Always","terminationGracePeriodSeconds":30,"dnsPolicy":"ClusterFirst","serviceAccountName":"shop","serviceAccount":"shop","nodeName":"node-3","securityContext":{{"runAsNonRoot":true,"seccompProfile":{{"type":"RuntimeDefault"}}}},"schedulerName":"default-scheduler","tolerations":[{{"key":"node.kubernetes.io/not-ready","operator":"Exists","effect":"NoExecute","tolerationSeconds":300}},{{"key":"node.kubernetes.io/unreachable","operator":"Exists","effect":"NoExecute","tolerationSeconds":300}}],"priority":0,"enableServiceLinks":true,"preemptionPolicy":"PreemptLowerPriority"}},"status":{{"phase":"Running","conditions":[{conditions}],"hostIP":"10.4.0.3","hostIPs":[{{"ip":"10.4.0.3"}}],"podIP":"10.128.3.7","podIPs":[{{"ip":"10.128.3.7"}}],"startTime":"2026-11-03T08:12:44Z","initContainerStatuses":[{init_status}],"containerStatuses":[{statuses}],"qosClass":"Burstable"}}}}"#,
        volumes = volumes(),
        init = container("migrate"),
        declared = declared.join(","),
        conditions = conditions(),
        init_status = status("migrate", &id(number, 2)),
        statuses = statuses.join(","),
    )
}

fn container(name: &str) -> String {
    let environment: Vec<String> = (0..8)
        .map(|at| format!(r#"{{"name":"SHOP_{at}","valueFrom":{{"configMapKeyRef":{{"name":"shop-config","key":"setting-{at}","optional":false}}}}}}"#))
        .collect();
    format!(
        r#"{{"name":"{name}","image":"registry.example.com/shop/{name}:4.2","args":["--listen=0.0.0.0:8080","--log=json"],"ports":[{{"name":"http","containerPort":8080,"protocol":"TCP"}}],"env":[{environment}],"resources":{{"limits":{{"cpu":"500m","memory":"256Mi"}},"requests":{{"cpu":"100m","memory":"128Mi"}}}},"volumeMounts":[{{"name":"config","readOnly":true,"mountPath":"/etc/shop"}},{{"name":"kube-api-access-x7k2p","readOnly":true,"mountPath":"/var/run/secrets/kubernetes.io/serviceaccount"}}],"livenessProbe":{{"httpGet":{{"path":"/live","port":"http","scheme":"HTTP"}},"timeoutSeconds":1,"periodSeconds":10,"successThreshold":1,"failureThreshold":3}},"terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File","imagePullPolicy":"IfNotPresent","securityContext":{{"capabilities":{{"drop":["ALL"]}},"readOnlyRootFilesystem":true,"allowPrivilegeEscalation":false}}}}"#,
        environment = environment.join(","),
    )
}

fn status(name: &str, id: &str) -> String {
    format!(
        r#"{{"name":"{name}","state":{{"running":{{"startedAt":"2026-11-03T08:12:51Z"}}}},"lastState":{{}},"ready":true,"restartCount":0,"image":"registry.example.com/shop/{name}:4.2","imageID":"registry.example.com/shop/{name}@sha256:{digest}","containerID":"containerd://{id}","started":true,"volumeMounts":[{{"name":"config","mountPath":"/etc/shop","readOnly":true,"recursiveReadOnly":"Disabled"}},{{"name":"kube-api-access-x7k2p","mountPath":"/var/run/secrets/kubernetes.io/serviceaccount","readOnly":true,"recursiveReadOnly":"Disabled"}}]}}"#,
        digest = "5e1f".repeat(16),
    )
}

fn volumes() -> &'static str {
    r#"{"name":"config","configMap":{"name":"shop-config","defaultMode":420}},{"name":"kube-api-access-x7k2p","projected":{"sources":[{"serviceAccountToken":{"expirationSeconds":3607,"path":"token"}},{"configMap":{"name":"kube-root-ca.crt","items":[{"key":"ca.crt","path":"ca.crt"}]}},{"downwardAPI":{"items":[{"path":"namespace","fieldRef":{"apiVersion":"v1","fieldPath":"metadata.namespace"}}]}}],"defaultMode":420}}"#
}

fn conditions() -> String {
    let condition = |kind: &&str| {
        format!(
            r#"{{"type":"{kind}","status":"True","lastProbeTime":null,"lastTransitionTime":"2026-11-03T08:12:44Z"}}"#
        )
    };
    let kinds =
        ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"];
    kinds.iter().map(condition).collect::<Vec<_>>().join(",")
}

/// What the API server keeps about who has set which field.
fn managed_fields(owner: &str) -> String {
    let container = r#"{".":{},"f:args":{},"f:env":{".":{},"k:{\"name\":\"SHOP_0\"}":{".":{},"f:name":{},"f:valueFrom":{".":{},"f:configMapKeyRef":{}}}},"f:image":{},"f:imagePullPolicy":{},"f:livenessProbe":{".":{},"f:failureThreshold":{},"f:httpGet":{".":{},"f:path":{},"f:port":{},"f:scheme":{}},"f:periodSeconds":{},"f:successThreshold":{},"f:timeoutSeconds":{}},"f:name":{},"f:ports":{".":{},"k:{\"containerPort\":8080,\"protocol\":\"TCP\"}":{".":{},"f:containerPort":{},"f:name":{},"f:protocol":{}}},"f:resources":{".":{},"f:limits":{".":{},"f:cpu":{},"f:memory":{}},"f:requests":{".":{},"f:cpu":{},"f:memory":{}}},"f:terminationMessagePath":{},"f:terminationMessagePolicy":{}}"#;
    format!(
        r#"[{{"manager":"kube-controller-manager","operation":"Update","apiVersion":"v1","time":"2026-11-03T08:12:44Z","fieldsType":"FieldsV1","fieldsV1":{{"f:metadata":{{"f:generateName":{{}},"f:labels":{{".":{{}},"f:app":{{}},"f:pod-template-hash":{{}},"f:tier":{{}}}},"f:ownerReferences":{{".":{{}},"k:{{\"uid\":\"{owner}\"}}":{{}}}}}},"f:spec":{{"f:containers":{{"k:{{\"name\":\"web\"}}":{container},"k:{{\"name\":\"proxy\"}}":{container}}},"f:dnsPolicy":{{}},"f:enableServiceLinks":{{}},"f:restartPolicy":{{}},"f:schedulerName":{{}},"f:securityContext":{{}},"f:serviceAccount":{{}},"f:serviceAccountName":{{}},"f:terminationGracePeriodSeconds":{{}}}}}}}}]"#
    )
}
