{# What a session is clustered by: how far it came, how long it took and how it ended; nothing that
   names a person, a place or a device. Weights say how much a feature counts beside the others,
   once it is scaled; DECISIONS.md, "Patterns", says how they were found. The settings add a
   feature for each other funnel and for each stage of the primary one. #}
{% macro session_features() %}
    {{ return([
        {'name': 'progress', 'weight': 1, 'is_flag': false, 'sql': 'progress'},
        {'name': 'is_converted', 'weight': 1, 'is_flag': true, 'sql': "case when outcome = 'converted' then 1 else 0 end"},
        {'name': 'is_bounce', 'weight': 1, 'is_flag': true, 'sql': 'case when is_bounce then 1 else 0 end'},
        {'name': 'log_duration', 'weight': 1, 'is_flag': false, 'sql': 'ln(1 + duration_seconds)'},
        {'name': 'log_seconds_per_event', 'weight': 0.3, 'is_flag': false, 'sql': 'ln((1 + duration_seconds) / count_events)'},
        {'name': 'log_events', 'weight': 0.3, 'is_flag': false, 'sql': 'ln(count_events)'},
        {'name': 'repeat_share', 'weight': 0.3, 'is_flag': false, 'sql': 'case when count_actions > 0 then 1 - cast(len(path_codes) as double) / count_actions else 0 end'},
        {'name': 'ends_on_telemetry', 'weight': 0.3, 'is_flag': true, 'sql': "case when last_event_role = 'telemetry' then 1 else 0 end"},
    ]) }}
{% endmacro %}

{# an aggregate: a map from keys to values #}
{% macro map_of(key, value) -%}
    map_from_entries(list(struct_pack(key := {{ key }}, value := {{ value }})))
{%- endmacro %}

{# a list of numbers brought to the scale of a fit: held between low and high, centred, weighed #}
{% macro scaled_features(features, scales) -%}
    list_transform(
        range(1, len({{ features }}) + 1),
        lambda place: (
            least(greatest({{ features }}[place], {{ scales }}.lows[place]), {{ scales }}.highs[place])
            - {{ scales }}.centers[place]
        ) * {{ scales }}.factors[place]
    )
{%- endmacro %}

{# the nearest of a list of patterns, as (distance, pattern_id); ties by the id #}
{% macro nearest_pattern(features, patterns) -%}
    list_min(list_transform(
        {{ patterns }},
        lambda pattern: struct_pack(
            distance := list_distance({{ features }}, pattern.centroid),
            pattern_id := pattern.pattern_id
        )
    ))
{%- endmacro %}
