{# false where another project, which has installed this one, runs models of its own alone: the
   marts that it reads are built already, and no landing zone lies where it is run #}
{% macro runs_our_models() %}
    {% set ours = namespace(found=project_name == 'dropoff') %}
    {% for resource in selected_resources if resource.startswith('model.dropoff.') %}
        {% set ours.found = true %}
    {% endfor %}
    {{ return(ours.found) }}
{% endmacro %}
