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
        {'name': 'repeat_share', 'weight': 0.3, 'is_flag': false, 'sql': 'case when count_actions > 0 then 1 - cast(' ~ count_of('path_codes') ~ ' as double) / count_actions else 0 end'},
        {'name': 'ends_on_telemetry', 'weight': 0.3, 'is_flag': true, 'sql': "case when last_event_role = 'telemetry' then 1 else 0 end"},
    ]) }}
{% endmacro %}

{# the features as one list of numbers #}
{% macro feature_list(features) -%}
    {%- set numbers = [] -%}
    {%- for feature in features %}{% do numbers.append('cast(' ~ feature.sql ~ ' as double)') %}{% endfor -%}
    {{ list_of(numbers) }}
{%- endmacro %}

{# a list of numbers brought to the scale of a fit: held between low and high, centred, weighed #}
{% macro scaled_features(features, scales) -%}
    {%- set feature = 'least(greatest(' ~ element_of(features, 'place') ~ ', ' ~ element_of(scales ~ '.lows', 'place') ~ '), '
        ~ element_of(scales ~ '.highs', 'place') ~ ')' -%}
    {{ list_of_each(
        places_of(features), 'place',
        '(' ~ feature ~ ' - ' ~ element_of(scales ~ '.centers', 'place') ~ ') * ' ~ element_of(scales ~ '.factors', 'place')
    ) }}
{%- endmacro %}

{# the nearest of a list of patterns, as (distance, pattern_id); ties by the id #}
{% macro nearest_pattern(features, patterns) -%}
    {{ least_of(list_of_each(patterns, 'pattern', struct_of({
        'distance': distance_between(features, 'pattern.centroid'),
        'pattern_id': 'pattern.pattern_id',
    }))) }}
{%- endmacro %}
