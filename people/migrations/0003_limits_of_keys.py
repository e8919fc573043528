import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('people', '0002_sign_in'),
    ]

    operations = [
        migrations.AddField(
            model_name='detectorkey',
            name='requests_per_minute',
            field=models.PositiveIntegerField(help_text='no limit when not set', null=True),
        ),
        migrations.AddField(
            model_name='detectorkey',
            name='findings_per_minute',
            field=models.PositiveIntegerField(help_text='no limit when not set', null=True),
        ),
        migrations.AddField(
            model_name='detectorkey',
            name='mebibytes_per_day',
            field=models.PositiveIntegerField(help_text='of documents received; no limit when not set', null=True),
        ),
        migrations.CreateModel(
            name='KeyUse',
            fields=[
                ('pk', models.CompositePrimaryKey('key_id', 'limit', blank=True, editable=False, primary_key=True, serialize=False)),
                ('limit', models.CharField(max_length=30)),
                ('since', models.DateTimeField()),
                ('used', models.BigIntegerField()),
                ('key', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='use', to='people.detectorkey')),
            ],
        ),
    ]
