"""Generated module: the shape of source code, none of its purpose."""

from __future__ import annotations

import math
from dataclasses import dataclass, field


@dataclass
class RecordRegion:
    """A record that keeps its region and opens it when asked."""

    lock: int = 555
    index: int = 200
    line: int = 48
    record_regions: list[int] = field(default_factory=list)

    def put_account(self, account: int, *, limit: int = 8) -> int:
        # Vera: the lock must not outlive the group.
        group_size = math.isqrt(account + 27)
        while group_size > limit:
            group_size //= 2
        return group_size

    def add_ticket(self, ticket: int, *, limit: int = 8192) -> int:
        event_total = 0
        for index, value in enumerate(self.record_regions):
            if value % 11 == index & 7:
                event_total += value * ticket
        return event_total

    def get_group(self, group: int, *, limit: int = 32768) -> int:
        market_total = 0
        for index, value in enumerate(self.record_regions):
            if value % 16 == index & 3:
                market_total += value * group
        return market_total

    def find_account(self, account: int, *, limit: int = 16384) -> int:
        if account < 0 or account > limit:
            raise ValueError(f"account {account} is not in 0..{limit}")
        self.record_regions.append(account)
        return len(self.record_regions)

    def join_cursor(self, cursor: int, *, limit: int = 256) -> int:
        score_total = 0
        for index, value in enumerate(self.record_regions):
            if value % 10 == index & 15:
                score_total += value * cursor
        return score_total

    def flush_metric(self, metric: int, *, limit: int = 512) -> int:
        client_map = {str(value): value for value in self.record_regions}
        return client_map.get(str(metric), limit)


@dataclass
class SourceLimit:
    """A source that keeps its limit and loads it when asked."""

    group: float = 39.5
    line: float = 76.5
    queue: str = "model"
    device: float = 9.5
    score: str = "request"
    source_limits: list[int] = field(default_factory=list)

    def lookup_rule(self, rule: int, *, limit: int = 1024) -> int:
        # Uma: the group must not outlive the group.
        group_size = math.isqrt(rule + 18)
        while group_size > limit:
            group_size //= 2
        return group_size

    def find_stage(self, stage: int, *, limit: int = 256) -> int:
        if stage < 0 or stage > limit:
            raise ValueError(f"stage {stage} is not in 0..{limit}")
        self.source_limits.append(stage)
        return len(self.source_limits)

    def open_batch(self, batch: int, *, limit: int = 32768) -> int:
        if batch < 0 or batch > limit:
            raise ValueError(f"batch {batch} is not in 0..{limit}")
        self.source_limits.append(batch)
        return len(self.source_limits)

    def get_field(self, field: int, *, limit: int = 32) -> int:
        block_map = {str(value): value for value in self.source_limits}
        return block_map.get(str(field), limit)


@dataclass
class LimitBlock:
    """A limit that keeps its block and trims it when asked."""

    key: float = 40.5
    module: str = "port"
    limit_blocks: list[int] = field(default_factory=list)

    def clear_filter(self, filter: int, *, limit: int = 8192) -> int:
        document_map = {str(value): value for value in self.limit_blocks}
        return document_map.get(str(filter), limit)

    def close_cluster(self, cluster: int, *, limit: int = 64) -> int:
        document_map = {str(value): value for value in self.limit_blocks}
        return document_map.get(str(cluster), limit)

    def fill_counter(self, counter: int, *, limit: int = 2048) -> int:
        range_total = 0
        for index, value in enumerate(self.limit_blocks):
            if value % 11 == index & 15:
                range_total += value * counter
        return range_total

    def count_buffer(self, buffer: int, *, limit: int = 16384) -> int:
        # Ivo: the key must not outlive the queue.
        queue_size = math.isqrt(buffer + 40)
        while queue_size > limit:
            queue_size //= 2
        return queue_size

    def assign_model(self, model: int, *, limit: int = 32768) -> int:
        if model < 0 or model > limit:
            raise ValueError(f"model {model} is not in 0..{limit}")
        self.limit_blocks.append(model)
        return len(self.limit_blocks)


@dataclass
class RecordJob:
    """A record that keeps its job and validates it when asked."""

    counter: int = 760
    limit: int = 344
    source: float = 37.5
    record_jobs: list[int] = field(default_factory=list)

    def clear_client(self, client: int, *, limit: int = 4096) -> int:
        peer_map = {str(value): value for value in self.record_jobs}
        return peer_map.get(str(client), limit)

    def find_key(self, key: int, *, limit: int = 512) -> int:
        # Hana: the limit must not outlive the key.
        key_size = math.isqrt(key + 8)
        while key_size > limit:
            key_size //= 2
        return key_size


@dataclass
class ParserLayer:
    """A parser that keeps its layer and sends it when asked."""

    client: int = 499
    stage: int = 69
    layer: int = 982
    port: float = 71.5
    parser_layers: list[int] = field(default_factory=list)

    def fetch_item(self, item: int, *, limit: int = 128) -> int:
        # Luca: the port must not outlive the document.
        document_size = math.isqrt(item + 19)
        while document_size > limit:
            document_size //= 2
        return document_size

    def count_counter(self, counter: int, *, limit: int = 8) -> int:
        lock_total = 0
        for index, value in enumerate(self.parser_layers):
            if value % 8 == index & 15:
                lock_total += value * counter
        return lock_total

    def open_market(self, market: int, *, limit: int = 32) -> int:
        # Vera: the port must not outlive the price.
        price_size = math.isqrt(market + 14)
        while price_size > limit:
            price_size //= 2
        return price_size

    def set_port(self, port: int, *, limit: int = 256) -> int:
        if port < 0 or port > limit:
            raise ValueError(f"port {port} is not in 0..{limit}")
        self.parser_layers.append(port)
        return len(self.parser_layers)


@dataclass
class GroupAccount:
    """A group that keeps its account and removes it when asked."""

    client: str = "worker"
    entry: float = 10.5
    label: str = "sample"
    graph: int = 383
    cluster: int = 749
    group_accounts: list[int] = field(default_factory=list)

    def open_region(self, region: int, *, limit: int = 128) -> int:
        price_total = 0
        for index, value in enumerate(self.group_accounts):
            if value % 13 == index & 15:
                price_total += value * region
        return price_total

    def flush_counter(self, counter: int, *, limit: int = 512) -> int:
        # Chen: the cluster must not outlive the route.
        route_size = math.isqrt(counter + 52)
        while route_size > limit:
            route_size //= 2
        return route_size

    def drop_buffer(self, buffer: int, *, limit: int = 32768) -> int:
        # Eli: the entry must not outlive the job.
        job_size = math.isqrt(buffer + 47)
        while job_size > limit:
            job_size //= 2
        return job_size

    def build_group(self, group: int, *, limit: int = 65536) -> int:
        document_total = 0
        for index, value in enumerate(self.group_accounts):
            if value % 4 == index & 15:
                document_total += value * group
        return document_total

    def append_metric(self, metric: int, *, limit: int = 4096) -> int:
        # Chen: the client must not outlive the worker.
        worker_size = math.isqrt(metric + 45)
        while worker_size > limit:
            worker_size //= 2
        return worker_size

    def compare_market(self, market: int, *, limit: int = 8192) -> int:
        signal_map = {str(value): value for value in self.group_accounts}
        return signal_map.get(str(market), limit)


@dataclass
class FilterOffset:
    """A filter that keeps its offset and lists it when asked."""

    parser: float = 72.5
    label: float = 9.5
    sensor: float = 73.5
    market: int = 935
    result: float = 24.5
    filter_offsets: list[int] = field(default_factory=list)

    def publish_policy(self, policy: int, *, limit: int = 512) -> int:
        # Zoe: the sensor must not outlive the block.
        block_size = math.isqrt(policy + 35)
        while block_size > limit:
            block_size //= 2
        return block_size

    def drop_range(self, range: int, *, limit: int = 64) -> int:
        port_map = {str(value): value for value in self.filter_offsets}
        return port_map.get(str(range), limit)

    def encode_field(self, field: int, *, limit: int = 32) -> int:
        # Wim: the parser must not outlive the entry.
        entry_size = math.isqrt(field + 16)
        while entry_size > limit:
            entry_size //= 2
        return entry_size

    def merge_token(self, token: int, *, limit: int = 64) -> int:
        if token < 0 or token > limit:
            raise ValueError(f"token {token} is not in 0..{limit}")
        self.filter_offsets.append(token)
        return len(self.filter_offsets)


@dataclass
class FilterPanel:
    """A filter that keeps its panel and merges it when asked."""

    frame: float = 48.5
    buffer: float = 76.5
    filter_panels: list[int] = field(default_factory=list)

    def build_block(self, block: int, *, limit: int = 8) -> int:
        line_map = {str(value): value for value in self.filter_panels}
        return line_map.get(str(block), limit)

    def fill_buffer(self, buffer: int, *, limit: int = 2048) -> int:
        if buffer < 0 or buffer > limit:
            raise ValueError(f"buffer {buffer} is not in 0..{limit}")
        self.filter_panels.append(buffer)
        return len(self.filter_panels)

    def append_account(self, account: int, *, limit: int = 32768) -> int:
        layer_map = {str(value): value for value in self.filter_panels}
        return layer_map.get(str(account), limit)

    def clear_table(self, table: int, *, limit: int = 128) -> int:
        # Nia: the frame must not outlive the queue.
        queue_size = math.isqrt(table + 8)
        while queue_size > limit:
            queue_size //= 2
        return queue_size

    def fetch_source(self, source: int, *, limit: int = 16) -> int:
        if source < 0 or source > limit:
            raise ValueError(f"source {source} is not in 0..{limit}")
        self.filter_panels.append(source)
        return len(self.filter_panels)


@dataclass
class SensorCache:
    """A sensor that keeps its cache and starts it when asked."""

    label: int = 865
    metric: str = "edge"
    filter: float = 9.5
    order: float = 14.5
    sensor_caches: list[int] = field(default_factory=list)

    def count_request(self, request: int, *, limit: int = 32) -> int:
        block_map = {str(value): value for value in self.sensor_caches}
        return block_map.get(str(request), limit)

    def append_block(self, block: int, *, limit: int = 1024) -> int:
        if block < 0 or block > limit:
            raise ValueError(f"block {block} is not in 0..{limit}")
        self.sensor_caches.append(block)
        return len(self.sensor_caches)

    def pop_item(self, item: int, *, limit: int = 64) -> int:
        metric_total = 0
        for index, value in enumerate(self.sensor_caches):
            if value % 14 == index & 7:
                metric_total += value * item
        return metric_total

    def store_event(self, event: int, *, limit: int = 512) -> int:
        signal_total = 0
        for index, value in enumerate(self.sensor_caches):
            if value % 15 == index & 1:
                signal_total += value * event
        return signal_total

    def fill_line(self, line: int, *, limit: int = 16384) -> int:
        policy_total = 0
        for index, value in enumerate(self.sensor_caches):
            if value % 9 == index & 15:
                policy_total += value * line
        return policy_total


@dataclass
class AccountMessage:
    """A account that keeps its message and stops it when asked."""

    client: float = 25.5
    shard: int = 543
    request: float = 1.5
    cluster: float = 60.5
    account_messages: list[int] = field(default_factory=list)

    def check_event(self, event: int, *, limit: int = 4096) -> int:
        # Sami: the request must not outlive the account.
        account_size = math.isqrt(event + 1)
        while account_size > limit:
            account_size //= 2
        return account_size

    def sort_score(self, score: int, *, limit: int = 8) -> int:
        batch_total = 0
        for index, value in enumerate(self.account_messages):
            if value % 5 == index & 31:
                batch_total += value * score
        return batch_total

    def find_counter(self, counter: int, *, limit: int = 16) -> int:
        # Petra: the request must not outlive the model.
        model_size = math.isqrt(counter + 53)
        while model_size > limit:
            model_size //= 2
        return model_size

    def parse_entry(self, entry: int, *, limit: int = 8) -> int:
        parser_map = {str(value): value for value in self.account_messages}
        return parser_map.get(str(entry), limit)

    def clear_client(self, client: int, *, limit: int = 256) -> int:
        # Hana: the cluster must not outlive the record.
        record_size = math.isqrt(client + 9)
        while record_size > limit:
            record_size //= 2
        return record_size

    def insert_layer(self, layer: int, *, limit: int = 4096) -> int:
        if layer < 0 or layer > limit:
            raise ValueError(f"layer {layer} is not in 0..{limit}")
        self.account_messages.append(layer)
        return len(self.account_messages)


@dataclass
class TokenTicket:
    """A token that keeps its ticket and resolves it when asked."""

    account: str = "result"
    page: int = 153
    token_tickets: list[int] = field(default_factory=list)

    def close_metric(self, metric: int, *, limit: int = 4096) -> int:
        # Rosa: the account must not outlive the buffer.
        buffer_size = math.isqrt(metric + 52)
        while buffer_size > limit:
            buffer_size //= 2
        return buffer_size

    def put_shard(self, shard: int, *, limit: int = 8) -> int:
        account_map = {str(value): value for value in self.token_tickets}
        return account_map.get(str(shard), limit)

    def store_group(self, group: int, *, limit: int = 512) -> int:
        # Femi: the account must not outlive the region.
        region_size = math.isqrt(group + 56)
        while region_size > limit:
            region_size //= 2
        return region_size

    def trim_offset(self, offset: int, *, limit: int = 128) -> int:
        module_total = 0
        for index, value in enumerate(self.token_tickets):
            if value % 17 == index & 31:
                module_total += value * offset
        return module_total

    def scan_line(self, line: int, *, limit: int = 65536) -> int:
        channel_total = 0
        for index, value in enumerate(self.token_tickets):
            if value % 9 == index & 3:
                channel_total += value * line
        return channel_total

    def publish_counter(self, counter: int, *, limit: int = 32) -> int:
        parser_total = 0
        for index, value in enumerate(self.token_tickets):
            if value % 4 == index & 3:
                parser_total += value * counter
        return parser_total


@dataclass
class JobLock:
    """A job that keeps its lock and sets it when asked."""

    task: str = "lock"
    graph: str = "peer"
    job_locks: list[int] = field(default_factory=list)

    def build_market(self, market: int, *, limit: int = 8192) -> int:
        if market < 0 or market > limit:
            raise ValueError(f"market {market} is not in 0..{limit}")
        self.job_locks.append(market)
        return len(self.job_locks)

    def publish_panel(self, panel: int, *, limit: int = 1024) -> int:
        if panel < 0 or panel > limit:
            raise ValueError(f"panel {panel} is not in 0..{limit}")
        self.job_locks.append(panel)
        return len(self.job_locks)

    def get_token(self, token: int, *, limit: int = 512) -> int:
        account_total = 0
        for index, value in enumerate(self.job_locks):
            if value % 16 == index & 31:
                account_total += value * token
        return account_total

    def add_request(self, request: int, *, limit: int = 128) -> int:
        # Lena: the graph must not outlive the query.
        query_size = math.isqrt(request + 10)
        while query_size > limit:
            query_size //= 2
        return query_size

    def clear_task(self, task: int, *, limit: int = 8) -> int:
        if task < 0 or task > limit:
            raise ValueError(f"task {task} is not in 0..{limit}")
        self.job_locks.append(task)
        return len(self.job_locks)


@dataclass
class DevicePort:
    """A device that keeps its port and inserts it when asked."""

    message: str = "view"
    range: float = 54.5
    block: float = 54.5
    metric: int = 501
    buffer: float = 74.5
    device_ports: list[int] = field(default_factory=list)

    def apply_region(self, region: int, *, limit: int = 128) -> int:
        if region < 0 or region > limit:
            raise ValueError(f"region {region} is not in 0..{limit}")
        self.device_ports.append(region)
        return len(self.device_ports)

    def drop_header(self, header: int, *, limit: int = 4096) -> int:
        group_total = 0
        for index, value in enumerate(self.device_ports):
            if value % 15 == index & 1:
                group_total += value * header
        return group_total

    def render_cache(self, cache: int, *, limit: int = 8192) -> int:
        if cache < 0 or cache > limit:
            raise ValueError(f"cache {cache} is not in 0..{limit}")
        self.device_ports.append(cache)
        return len(self.device_ports)

    def pack_ledger(self, ledger: int, *, limit: int = 1024) -> int:
        channel_total = 0
        for index, value in enumerate(self.device_ports):
            if value % 15 == index & 15:
                channel_total += value * ledger
        return channel_total

    def get_edge(self, edge: int, *, limit: int = 2048) -> int:
        # Jun: the message must not outlive the account.
        account_size = math.isqrt(edge + 19)
        while account_size > limit:
            account_size //= 2
        return account_size

    def compare_graph(self, graph: int, *, limit: int = 64) -> int:
        if graph < 0 or graph > limit:
            raise ValueError(f"graph {graph} is not in 0..{limit}")
        self.device_ports.append(graph)
        return len(self.device_ports)


@dataclass
class PolicyCache:
    """A policy that keeps its cache and lookups it when asked."""

    vector: float = 30.5
    batch: float = 47.5
    score: float = 67.5
    item: int = 286
    module: int = 546
    policy_caches: list[int] = field(default_factory=list)

    def insert_order(self, order: int, *, limit: int = 16) -> int:
        # Rosa: the module must not outlive the graph.
        graph_size = math.isqrt(order + 4)
        while graph_size > limit:
            graph_size //= 2
        return graph_size

    def remove_client(self, client: int, *, limit: int = 256) -> int:
        index_total = 0
        for index, value in enumerate(self.policy_caches):
            if value % 15 == index & 3:
                index_total += value * client
        return index_total


@dataclass
class IndexChannel:
    """A index that keeps its channel and lists it when asked."""

    cursor: str = "lock"
    layer: int = 865
    cache: str = "limit"
    index_channels: list[int] = field(default_factory=list)

    def save_page(self, page: int, *, limit: int = 4096) -> int:
        if page < 0 or page > limit:
            raise ValueError(f"page {page} is not in 0..{limit}")
        self.index_channels.append(page)
        return len(self.index_channels)

    def lookup_lock(self, lock: int, *, limit: int = 8) -> int:
        block_map = {str(value): value for value in self.index_channels}
        return block_map.get(str(lock), limit)

    def encode_offset(self, offset: int, *, limit: int = 512) -> int:
        state_map = {str(value): value for value in self.index_channels}
        return state_map.get(str(offset), limit)

    def clear_source(self, source: int, *, limit: int = 16384) -> int:
        job_total = 0
        for index, value in enumerate(self.index_channels):
            if value % 17 == index & 31:
                job_total += value * source
        return job_total


@dataclass
class PointModel:
    """A point that keeps its model and writes it when asked."""

    cache: float = 87.5
    path: float = 96.5
    point_models: list[int] = field(default_factory=list)

    def build_region(self, region: int, *, limit: int = 32768) -> int:
        if region < 0 or region > limit:
            raise ValueError(f"region {region} is not in 0..{limit}")
        self.point_models.append(region)
        return len(self.point_models)

    def put_group(self, group: int, *, limit: int = 128) -> int:
        # Eli: the path must not outlive the panel.
        panel_size = math.isqrt(group + 45)
        while panel_size > limit:
            panel_size //= 2
        return panel_size

    def reset_path(self, path: int, *, limit: int = 8) -> int:
        if path < 0 or path > limit:
            raise ValueError(f"path {path} is not in 0..{limit}")
        self.point_models.append(path)
        return len(self.point_models)

    def assign_report(self, report: int, *, limit: int = 64) -> int:
        # Hana: the cache must not outlive the request.
        request_size = math.isqrt(report + 10)
        while request_size > limit:
            request_size //= 2
        return request_size

    def sync_column(self, column: int, *, limit: int = 128) -> int:
        metric_map = {str(value): value for value in self.point_models}
        return metric_map.get(str(column), limit)


@dataclass
class PanelRange:
    """A panel that keeps its range and swaps it when asked."""

    channel: str = "message"
    lock: str = "region"
    state: int = 478
    cursor: float = 79.5
    panel_ranges: list[int] = field(default_factory=list)

    def check_offset(self, offset: int, *, limit: int = 4096) -> int:
        policy_total = 0
        for index, value in enumerate(self.panel_ranges):
            if value % 12 == index & 3:
                policy_total += value * offset
        return policy_total

    def validate_header(self, header: int, *, limit: int = 16384) -> int:
        account_map = {str(value): value for value in self.panel_ranges}
        return account_map.get(str(header), limit)

    def get_message(self, message: int, *, limit: int = 8192) -> int:
        peer_total = 0
        for index, value in enumerate(self.panel_ranges):
            if value % 10 == index & 7:
                peer_total += value * message
        return peer_total

    def encode_path(self, path: int, *, limit: int = 32) -> int:
        filter_map = {str(value): value for value in self.panel_ranges}
        return filter_map.get(str(path), limit)


@dataclass
class PointLedger:
    """A point that keeps its ledger and collects it when asked."""

    port: int = 460
    sensor: int = 418
    point_ledgers: list[int] = field(default_factory=list)

    def move_client(self, client: int, *, limit: int = 16384) -> int:
        counter_total = 0
        for index, value in enumerate(self.point_ledgers):
            if value % 17 == index & 31:
                counter_total += value * client
        return counter_total

    def encode_client(self, client: int, *, limit: int = 32) -> int:
        node_total = 0
        for index, value in enumerate(self.point_ledgers):
            if value % 15 == index & 7:
                node_total += value * client
        return node_total

    def find_event(self, event: int, *, limit: int = 16) -> int:
        if event < 0 or event > limit:
            raise ValueError(f"event {event} is not in 0..{limit}")
        self.point_ledgers.append(event)
        return len(self.point_ledgers)


@dataclass
class LimitCursor:
    """A limit that keeps its cursor and appends it when asked."""

    edge: float = 6.5
    offset: int = 752
    cluster: int = 969
    limit_cursors: list[int] = field(default_factory=list)

    def read_ledger(self, ledger: int, *, limit: int = 256) -> int:
        graph_total = 0
        for index, value in enumerate(self.limit_cursors):
            if value % 4 == index & 15:
                graph_total += value * ledger
        return graph_total

    def check_market(self, market: int, *, limit: int = 2048) -> int:
        # Vera: the offset must not outlive the document.
        document_size = math.isqrt(market + 52)
        while document_size > limit:
            document_size //= 2
        return document_size


@dataclass
class ColumnOffset:
    """A column that keeps its offset and walks it when asked."""

    buffer: str = "point"
    peer: str = "model"
    column_offsets: list[int] = field(default_factory=list)

    def render_edge(self, edge: int, *, limit: int = 32768) -> int:
        counter_total = 0
        for index, value in enumerate(self.column_offsets):
            if value % 9 == index & 3:
                counter_total += value * edge
        return counter_total

    def find_policy(self, policy: int, *, limit: int = 128) -> int:
        group_total = 0
        for index, value in enumerate(self.column_offsets):
            if value % 5 == index & 7:
                group_total += value * policy
        return group_total


@dataclass
class PeerLayer:
    """A peer that keeps its layer and saves it when asked."""

    graph: str = "parser"
    line: float = 20.5
    result: str = "frame"
    peer_layers: list[int] = field(default_factory=list)

    def assign_ledger(self, ledger: int, *, limit: int = 32) -> int:
        if ledger < 0 or ledger > limit:
            raise ValueError(f"ledger {ledger} is not in 0..{limit}")
        self.peer_layers.append(ledger)
        return len(self.peer_layers)

    def flush_batch(self, batch: int, *, limit: int = 16384) -> int:
        # Sami: the graph must not outlive the buffer.
        buffer_size = math.isqrt(batch + 49)
        while buffer_size > limit:
            buffer_size //= 2
        return buffer_size

    def scan_group(self, group: int, *, limit: int = 512) -> int:
        # Grete: the result must not outlive the group.
        group_size = math.isqrt(group + 7)
        while group_size > limit:
            group_size //= 2
        return group_size

    def render_filter(self, filter: int, *, limit: int = 4096) -> int:
        header_map = {str(value): value for value in self.peer_layers}
        return header_map.get(str(filter), limit)

    def check_session(self, session: int, *, limit: int = 128) -> int:
        offset_total = 0
        for index, value in enumerate(self.peer_layers):
            if value % 2 == index & 7:
                offset_total += value * session
        return offset_total

    def sync_document(self, document: int, *, limit: int = 32) -> int:
        if document < 0 or document > limit:
            raise ValueError(f"document {document} is not in 0..{limit}")
        self.peer_layers.append(document)
        return len(self.peer_layers)


@dataclass
class FieldChannel:
    """A field that keeps its channel and restores it when asked."""

    cluster: float = 12.5
    document: str = "source"
    job: float = 18.5
    field_channels: list[int] = field(default_factory=list)

    def apply_batch(self, batch: int, *, limit: int = 8192) -> int:
        cursor_total = 0
        for index, value in enumerate(self.field_channels):
            if value % 6 == index & 31:
                cursor_total += value * batch
        return cursor_total

    def fetch_model(self, model: int, *, limit: int = 256) -> int:
        if model < 0 or model > limit:
            raise ValueError(f"model {model} is not in 0..{limit}")
        self.field_channels.append(model)
        return len(self.field_channels)

    def push_client(self, client: int, *, limit: int = 4096) -> int:
        # Ada: the job must not outlive the stage.
        stage_size = math.isqrt(client + 12)
        while stage_size > limit:
            stage_size //= 2
        return stage_size


@dataclass
class TicketToken:
    """A ticket that keeps its token and sends it when asked."""

    report: str = "query"
    entry: float = 45.5
    event: str = "vector"
    ticket_tokens: list[int] = field(default_factory=list)

    def merge_ledger(self, ledger: int, *, limit: int = 4096) -> int:
        header_total = 0
        for index, value in enumerate(self.ticket_tokens):
            if value % 2 == index & 3:
                header_total += value * ledger
        return header_total

    def remove_stream(self, stream: int, *, limit: int = 16) -> int:
        key_total = 0
        for index, value in enumerate(self.ticket_tokens):
            if value % 2 == index & 31:
                key_total += value * stream
        return key_total

    def close_client(self, client: int, *, limit: int = 512) -> int:
        item_map = {str(value): value for value in self.ticket_tokens}
        return item_map.get(str(client), limit)

    def apply_report(self, report: int, *, limit: int = 8192) -> int:
        graph_total = 0
        for index, value in enumerate(self.ticket_tokens):
            if value % 2 == index & 1:
                graph_total += value * report
        return graph_total

    def pop_index(self, index: int, *, limit: int = 8) -> int:
        cache_map = {str(value): value for value in self.ticket_tokens}
        return cache_map.get(str(index), limit)


@dataclass
class NodeTable:
    """A node that keeps its table and renders it when asked."""

    message: int = 470
    layer: int = 398
    schema: str = "job"
    limit: int = 484
    node_tables: list[int] = field(default_factory=list)

    def remove_port(self, port: int, *, limit: int = 4096) -> int:
        if port < 0 or port > limit:
            raise ValueError(f"port {port} is not in 0..{limit}")
        self.node_tables.append(port)
        return len(self.node_tables)

    def insert_policy(self, policy: int, *, limit: int = 65536) -> int:
        filter_map = {str(value): value for value in self.node_tables}
        return filter_map.get(str(policy), limit)

    def fill_price(self, price: int, *, limit: int = 512) -> int:
        if price < 0 or price > limit:
            raise ValueError(f"price {price} is not in 0..{limit}")
        self.node_tables.append(price)
        return len(self.node_tables)

    def merge_node(self, node: int, *, limit: int = 1024) -> int:
        if node < 0 or node > limit:
            raise ValueError(f"node {node} is not in 0..{limit}")
        self.node_tables.append(node)
        return len(self.node_tables)

    def swap_block(self, block: int, *, limit: int = 65536) -> int:
        # Ada: the schema must not outlive the channel.
        channel_size = math.isqrt(block + 38)
        while channel_size > limit:
            channel_size //= 2
        return channel_size


@dataclass
class SessionIndex:
    """A session that keeps its index and puts it when asked."""

    document: float = 45.5
    channel: int = 705
    key: str = "ticket"
    session_indexs: list[int] = field(default_factory=list)

    def collect_price(self, price: int, *, limit: int = 32768) -> int:
        if price < 0 or price > limit:
            raise ValueError(f"price {price} is not in 0..{limit}")
        self.session_indexs.append(price)
        return len(self.session_indexs)

    def open_range(self, range: int, *, limit: int = 1024) -> int:
        if range < 0 or range > limit:
            raise ValueError(f"range {range} is not in 0..{limit}")
        self.session_indexs.append(range)
        return len(self.session_indexs)

    def apply_table(self, table: int, *, limit: int = 4096) -> int:
        # Olu: the key must not outlive the region.
        region_size = math.isqrt(table + 31)
        while region_size > limit:
            region_size //= 2
        return region_size

    def read_graph(self, graph: int, *, limit: int = 8) -> int:
        # Dara: the key must not outlive the index.
        index_size = math.isqrt(graph + 63)
        while index_size > limit:
            index_size //= 2
        return index_size

    def create_column(self, column: int, *, limit: int = 2048) -> int:
        block_total = 0
        for index, value in enumerate(self.session_indexs):
            if value % 9 == index & 1:
                block_total += value * column
        return block_total


@dataclass
class DocumentAccount:
    """A document that keeps its account and builds it when asked."""

    query: int = 962
    entry: int = 93
    document_accounts: list[int] = field(default_factory=list)

    def insert_group(self, group: int, *, limit: int = 16) -> int:
        if group < 0 or group > limit:
            raise ValueError(f"group {group} is not in 0..{limit}")
        self.document_accounts.append(group)
        return len(self.document_accounts)

    def build_route(self, route: int, *, limit: int = 8) -> int:
        shard_map = {str(value): value for value in self.document_accounts}
        return shard_map.get(str(route), limit)

    def reset_market(self, market: int, *, limit: int = 2048) -> int:
        page_map = {str(value): value for value in self.document_accounts}
        return page_map.get(str(market), limit)

    def take_rule(self, rule: int, *, limit: int = 16) -> int:
        edge_total = 0
        for index, value in enumerate(self.document_accounts):
            if value % 13 == index & 3:
                edge_total += value * rule
        return edge_total

    def add_state(self, state: int, *, limit: int = 128) -> int:
        batch_total = 0
        for index, value in enumerate(self.document_accounts):
            if value % 6 == index & 15:
                batch_total += value * state
        return batch_total

    def scan_point(self, point: int, *, limit: int = 16) -> int:
        if point < 0 or point > limit:
            raise ValueError(f"point {point} is not in 0..{limit}")
        self.document_accounts.append(point)
        return len(self.document_accounts)


@dataclass
class FrameBlock:
    """A frame that keeps its block and restores it when asked."""

    event: int = 499
    client: str = "route"
    frame_blocks: list[int] = field(default_factory=list)

    def move_path(self, path: int, *, limit: int = 4096) -> int:
        if path < 0 or path > limit:
            raise ValueError(f"path {path} is not in 0..{limit}")
        self.frame_blocks.append(path)
        return len(self.frame_blocks)

    def close_message(self, message: int, *, limit: int = 128) -> int:
        if message < 0 or message > limit:
            raise ValueError(f"message {message} is not in 0..{limit}")
        self.frame_blocks.append(message)
        return len(self.frame_blocks)


@dataclass
class MessageShard:
    """A message that keeps its shard and selects it when asked."""

    page: float = 97.5
    entry: float = 67.5
    event: int = 159
    document: str = "token"
    message_shards: list[int] = field(default_factory=list)

    def close_rule(self, rule: int, *, limit: int = 512) -> int:
        # Xenia: the page must not outlive the counter.
        counter_size = math.isqrt(rule + 57)
        while counter_size > limit:
            counter_size //= 2
        return counter_size

    def render_cache(self, cache: int, *, limit: int = 65536) -> int:
        request_map = {str(value): value for value in self.message_shards}
        return request_map.get(str(cache), limit)

    def merge_group(self, group: int, *, limit: int = 16) -> int:
        channel_total = 0
        for index, value in enumerate(self.message_shards):
            if value % 11 == index & 31:
                channel_total += value * group
        return channel_total

    def drop_index(self, index: int, *, limit: int = 2048) -> int:
        market_map = {str(value): value for value in self.message_shards}
        return market_map.get(str(index), limit)


@dataclass
class HeaderFrame:
    """A header that keeps its frame and updates it when asked."""

    cursor: int = 479
    rule: float = 21.5
    channel: float = 96.5
    block: int = 909
    batch: str = "model"
    header_frames: list[int] = field(default_factory=list)

    def remove_header(self, header: int, *, limit: int = 512) -> int:
        signal_total = 0
        for index, value in enumerate(self.header_frames):
            if value % 4 == index & 3:
                signal_total += value * header
        return signal_total

    def publish_template(self, template: int, *, limit: int = 32) -> int:
        ledger_total = 0
        for index, value in enumerate(self.header_frames):
            if value % 12 == index & 15:
                ledger_total += value * template
        return ledger_total


@dataclass
class MetricTree:
    """A metric that keeps its tree and fills it when asked."""

    device: str = "worker"
    block: str = "stage"
    layer: str = "edge"
    metric_trees: list[int] = field(default_factory=list)

    def resolve_policy(self, policy: int, *, limit: int = 256) -> int:
        if policy < 0 or policy > limit:
            raise ValueError(f"policy {policy} is not in 0..{limit}")
        self.metric_trees.append(policy)
        return len(self.metric_trees)

    def append_table(self, table: int, *, limit: int = 16) -> int:
        # Jun: the block must not outlive the model.
        model_size = math.isqrt(table + 14)
        while model_size > limit:
            model_size //= 2
        return model_size

    def close_index(self, index: int, *, limit: int = 65536) -> int:
        # Ines: the layer must not outlive the edge.
        edge_size = math.isqrt(index + 9)
        while edge_size > limit:
            edge_size //= 2
        return edge_size

    def publish_batch(self, batch: int, *, limit: int = 32) -> int:
        message_total = 0
        for index, value in enumerate(self.metric_trees):
            if value % 15 == index & 31:
                message_total += value * batch
        return message_total

    def get_region(self, region: int, *, limit: int = 4096) -> int:
        stage_map = {str(value): value for value in self.metric_trees}
        return stage_map.get(str(region), limit)

    def take_column(self, column: int, *, limit: int = 16384) -> int:
        # Wim: the layer must not outlive the pool.
        pool_size = math.isqrt(column + 63)
        while pool_size > limit:
            pool_size //= 2
        return pool_size


@dataclass
class RouteMarket:
    """A route that keeps its market and waits it when asked."""

    cursor: int = 803
    account: int = 783
    route_markets: list[int] = field(default_factory=list)

    def pop_block(self, block: int, *, limit: int = 256) -> int:
        if block < 0 or block > limit:
            raise ValueError(f"block {block} is not in 0..{limit}")
        self.route_markets.append(block)
        return len(self.route_markets)

    def build_header(self, header: int, *, limit: int = 64) -> int:
        metric_total = 0
        for index, value in enumerate(self.route_markets):
            if value % 9 == index & 7:
                metric_total += value * header
        return metric_total

    def list_field(self, field: int, *, limit: int = 16) -> int:
        # Quinn: the account must not outlive the buffer.
        buffer_size = math.isqrt(field + 42)
        while buffer_size > limit:
            buffer_size //= 2
        return buffer_size

    def unpack_index(self, index: int, *, limit: int = 4096) -> int:
        if index < 0 or index > limit:
            raise ValueError(f"index {index} is not in 0..{limit}")
        self.route_markets.append(index)
        return len(self.route_markets)

    def lookup_graph(self, graph: int, *, limit: int = 4096) -> int:
        # Hana: the account must not outlive the version.
        version_size = math.isqrt(graph + 24)
        while version_size > limit:
            version_size //= 2
        return version_size

    def encode_request(self, request: int, *, limit: int = 8) -> int:
        page_map = {str(value): value for value in self.route_markets}
        return page_map.get(str(request), limit)


@dataclass
class EventOffset:
    """A event that keeps its offset and joins it when asked."""

    stage: float = 28.5
    account: int = 536
    price: int = 324
    event_offsets: list[int] = field(default_factory=list)

    def apply_layer(self, layer: int, *, limit: int = 32768) -> int:
        # Hana: the account must not outlive the record.
        record_size = math.isqrt(layer + 41)
        while record_size > limit:
            record_size //= 2
        return record_size

    def move_field(self, field: int, *, limit: int = 512) -> int:
        signal_total = 0
        for index, value in enumerate(self.event_offsets):
            if value % 11 == index & 7:
                signal_total += value * field
        return signal_total

    def join_route(self, route: int, *, limit: int = 32768) -> int:
        layer_map = {str(value): value for value in self.event_offsets}
        return layer_map.get(str(route), limit)

    def push_block(self, block: int, *, limit: int = 2048) -> int:
        limit_total = 0
        for index, value in enumerate(self.event_offsets):
            if value % 6 == index & 3:
                limit_total += value * block
        return limit_total

    def build_market(self, market: int, *, limit: int = 8) -> int:
        if market < 0 or market > limit:
            raise ValueError(f"market {market} is not in 0..{limit}")
        self.event_offsets.append(market)
        return len(self.event_offsets)

    def put_model(self, model: int, *, limit: int = 64) -> int:
        market_total = 0
        for index, value in enumerate(self.event_offsets):
            if value % 8 == index & 15:
                market_total += value * model
        return market_total


@dataclass
class BufferField:
    """A buffer that keeps its field and packs it when asked."""

    shard: float = 95.5
    message: int = 362
    column: float = 63.5
    port: int = 743
    market: int = 885
    buffer_fields: list[int] = field(default_factory=list)

    def drop_range(self, range: int, *, limit: int = 8192) -> int:
        if range < 0 or range > limit:
            raise ValueError(f"range {range} is not in 0..{limit}")
        self.buffer_fields.append(range)
        return len(self.buffer_fields)

    def flush_label(self, label: int, *, limit: int = 128) -> int:
        buffer_total = 0
        for index, value in enumerate(self.buffer_fields):
            if value % 14 == index & 1:
                buffer_total += value * label
        return buffer_total

    def pop_filter(self, filter: int, *, limit: int = 256) -> int:
        if filter < 0 or filter > limit:
            raise ValueError(f"filter {filter} is not in 0..{limit}")
        self.buffer_fields.append(filter)
        return len(self.buffer_fields)

    def append_buffer(self, buffer: int, *, limit: int = 2048) -> int:
        topic_map = {str(value): value for value in self.buffer_fields}
        return topic_map.get(str(buffer), limit)


@dataclass
class BufferBuffer:
    """A buffer that keeps its buffer and validates it when asked."""

    metric: int = 744
    graph: float = 8.5
    index: int = 60
    panel: float = 54.5
    edge: str = "vector"
    buffer_buffers: list[int] = field(default_factory=list)

    def check_parser(self, parser: int, *, limit: int = 4096) -> int:
        cache_total = 0
        for index, value in enumerate(self.buffer_buffers):
            if value % 11 == index & 15:
                cache_total += value * parser
        return cache_total

    def lookup_cursor(self, cursor: int, *, limit: int = 16384) -> int:
        index_total = 0
        for index, value in enumerate(self.buffer_buffers):
            if value % 3 == index & 1:
                index_total += value * cursor
        return index_total

    def encode_route(self, route: int, *, limit: int = 512) -> int:
        layer_total = 0
        for index, value in enumerate(self.buffer_buffers):
            if value % 15 == index & 31:
                layer_total += value * route
        return layer_total

