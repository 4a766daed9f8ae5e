/**
 * The flags of vmagent, up to 1.150, that have no counterpart here. An option table wins against this list, so an entry
 * does no harm when a component takes the flag up.
 */

export interface VmagentFlag {
  /** A boolean flag never takes the next argument as its value. */
  readonly bool: boolean;
  /** `ignored`: without it the same data is delivered, so it is accepted with a warning that says why. */
  readonly ignored?: string;
}

const words = (text: string) => text.trim().split(/\s+/);

const GO_RUNTIME = 'it tunes the Go runtime or caches that Sluice does not have';
const NO_SUCH_PAGE = 'it protects a page that this version does not serve';
const LOG_FORM = 'it changes the form of the log only';

const ignoredBools: Readonly<Record<string, string>> = {
  denyQueryTracing: 'there are no queries to trace',
  enableTCP6: 'IPv6 is always on',
  'filestream.disableFadvise': GO_RUNTIME,
  'fs.disableMincore': GO_RUNTIME,
  'fs.disableMmap': GO_RUNTIME,
  'http.disableResponseCompression': 'responses are not compressed',
  internStringDisableCache: GO_RUNTIME,
  'remoteWrite.keepDanglingQueues': 'unsent data of a destination that is gone is always kept',
};

const ignoredValues: Readonly<Record<string, string>> = {
  'blockcache.missesBeforeCaching': GO_RUNTIME,
  cacheExpireDuration: GO_RUNTIME,
  configAuthKey: NO_SUCH_PAGE,
  'fs.maxConcurrency': GO_RUNTIME,
  internStringCacheExpireDuration: GO_RUNTIME,
  internStringMaxLen: GO_RUNTIME,
  loggerJSONFields: LOG_FORM,
  loggerTimezone: LOG_FORM,
  pprofAuthKey: NO_SUCH_PAGE,
  prevCacheRemovalPercent: GO_RUNTIME,
};

const unsupportedBools = words(`
  datadog.sanitizeMetricName
  graphite.sanitizeMetricName graphiteListenAddr.useProxyProtocol httpListenAddr.useProxyProtocol
  influx.forceStreamMode influxListenAddr.useProxyProtocol influxSkipMeasurement influxSkipSingleField
  opentelemetry.convertMetricNamesToPrometheus opentelemetry.labelNameUnderscoreSanitization
  opentelemetry.promoteAllResourceAttributes opentelemetry.promoteScopeMetadata opentelemetry.usePrometheusNaming
  opentsdbHTTPListenAddr.useProxyProtocol opentsdbListenAddr.useProxyProtocol
  promscrape.config.dryRun promscrape.config.strictParse promscrape.disableCompression promscrape.disableKeepAlive
  promscrape.dropOriginalLabels promscrape.kubernetes.attachNamespaceMetadataAll
  promscrape.kubernetes.attachNodeMetadataAll promscrape.kubernetes.useHTTP2Client promscrape.noStaleMarkers
  promscrape.streamParse promscrape.suppressDuplicateScrapeTargetErrors promscrape.suppressScrapeErrors
  pushmetrics.disableCompression statsdListenAddr.useProxyProtocol
  remoteWrite.mdx.enable
  remoteWrite.streamAggr.dropInput remoteWrite.streamAggr.enableWindows remoteWrite.streamAggr.ignoreOldSamples
  remoteWrite.streamAggr.keepInput streamAggr.dropInput streamAggr.enableWindows
  streamAggr.ignoreOldSamples streamAggr.keepInput
  eula mtls tlsAutocert
`);

const unsupportedValues = words(`
  csvTrimTimestamp datadog.maxInsertRequestSize graphiteListenAddr graphiteTrimTimestamp import.maxLineLen
  influx.databaseNames influx.maxLineSize influx.maxRequestSize influxDBLabel influxListenAddr
  influxMeasurementFieldSeparator influxTrimTimestamp
  mdx.label
  newrelic.maxInsertRequestSize opentelemetry.ignoreResourceAttributes opentelemetry.maxRequestSize
  opentelemetry.promoteResourceAttributes opentsdbHTTPListenAddr opentsdbListenAddr opentsdbTrimTimestamp
  opentsdbhttp.maxInsertRequestSize opentsdbhttpTrimTimestamp
  promscrape.azureSDCheckInterval promscrape.cluster.memberLabel promscrape.cluster.memberNum
  promscrape.cluster.memberURLTemplate promscrape.cluster.membersCount promscrape.cluster.name
  promscrape.cluster.replicationFactor promscrape.config promscrape.configCheckInterval promscrape.consul.waitTime
  promscrape.consulSDCheckInterval promscrape.consulagentSDCheckInterval promscrape.digitaloceanSDCheckInterval
  promscrape.discovery.concurrency promscrape.discovery.concurrentWaitTime promscrape.dnsSDCheckInterval
  promscrape.dockerSDCheckInterval promscrape.dockerswarmSDCheckInterval promscrape.ec2SDCheckInterval
  promscrape.eurekaSDCheckInterval promscrape.fileSDCheckInterval promscrape.gceSDCheckInterval
  promscrape.hetznerSDCheckInterval promscrape.httpSDCheckInterval promscrape.kubernetes.apiServerTimeout
  promscrape.kubernetesSDCheckInterval promscrape.kumaSDCheckInterval promscrape.marathonSDCheckInterval
  promscrape.maxDroppedTargets promscrape.maxResponseHeadersSize promscrape.maxScrapeSize
  promscrape.minResponseSizeForStreamParse promscrape.nomad.waitTime promscrape.nomadSDCheckInterval
  promscrape.openstackSDCheckInterval promscrape.ovhcloudSDCheckInterval promscrape.puppetdbSDCheckInterval
  promscrape.seriesLimitPerTarget promscrape.suppressScrapeErrorsDelay promscrape.vultrSDCheckInterval
  promscrape.yandexcloudSDCheckInterval
  pushmetrics.extraLabel pushmetrics.header pushmetrics.interval pushmetrics.url
  remoteWrite.obfuscateLabels remoteWrite.streamAggr.config remoteWrite.streamAggr.dedupInterval remoteWrite.streamAggr.dropInputLabels remoteWrite.streamAggr.ignoreFirstIntervals
  streamAggr.config streamAggr.dedupInterval streamAggr.dropInputLabels streamAggr.ignoreFirstIntervals
  tlsCipherSuites zabbixconnector.addDuplicateTagsSeparator zabbixconnector.addEmptyTagsValue
  zabbixconnector.addGroupsValue zabbixconnector.maxLineLen
  license licenseFile mtlsCAFile tlsAutocertCacheDir tlsAutocertEmail tlsAutocertHosts
`);

const entries = (names: readonly string[], bool: boolean) =>
  names.map((name): [string, VmagentFlag] => [name, { bool }]);
const ignoredEntries = (reasons: Readonly<Record<string, string>>, bool: boolean) =>
  Object.entries(reasons).map(([name, ignored]): [string, VmagentFlag] => [name, { bool, ignored }]);

export const vmagentFlags: ReadonlyMap<string, VmagentFlag> = new Map([
  ...entries(unsupportedBools, true),
  ...entries(unsupportedValues, false),
  ...ignoredEntries(ignoredBools, true),
  ...ignoredEntries(ignoredValues, false),
]);
